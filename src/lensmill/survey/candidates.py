"""Candidates: the rows of a finished run that are worth handing to somebody."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lensmill.evaluation.files import read_json

Row = dict[str, Any]
MODEL = (
    *("theta_E", "theta_E_16", "theta_E_84", "e1", "e1_error", "e2", "e2_error"),
    *("q", "q_16", "q_84", "position_angle_deg", "position_angle_error_deg"),
)
"""Columns of a mass model: all finite, or there is none."""


@dataclass(frozen=True)
class FinishedRun:
    """What a run left: its catalogue and its bands, in the order of every list in it."""

    table: pa.Table
    bands: tuple[str, ...]


def finished_run(folder: Path) -> FinishedRun:
    """The run in `folder`; ValueError where there is none, or it is not finished."""
    catalogue, state = folder / "catalogue.parquet", folder / "run.json"
    if not (catalogue.is_file() and state.is_file()):
        raise ValueError(
            f"{folder} holds no finished run: no catalogue.parquet and run.json; give the --out of "
            "one, or finish it by the command that began it"
        )
    bands = read_json(state).get("bands")
    if bands is None:
        raise ValueError(f"{state} says not which bands there are")
    return FinishedRun(pq.read_table(catalogue), tuple(bands))


def candidates(table: pa.Table, p_lens: float, ids: Collection[str] = ()) -> list[Row]:
    """Rows with a mass model: those of `ids`, or those of p_lens and more; likeliest first.

    ValueError names the ids that the catalogue lacks or has no mass model of.
    """
    modelled = [row for row in table.to_pylist() if _modelled(row)]
    if missing := sorted(set(ids) - {row["id"] for row in modelled}):
        raise ValueError(f"no mass model of {', '.join(missing)} in the catalogue")
    chosen = [row for row in modelled if (row["id"] in ids if ids else _likely(row, p_lens))]
    return sorted(chosen, key=lambda row: (-(row["p_lens"] or 0.0), row["id"]))


def _modelled(row: Row) -> bool:
    return all(row[name] is not None and math.isfinite(row[name]) for name in MODEL)


def _likely(row: Row, p_lens: float) -> bool:
    return row["p_lens"] is None or row["p_lens"] >= p_lens
