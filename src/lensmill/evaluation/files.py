"""Files: what `evaluate` and a survey run wrote, read again; ValueError names what is broken."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lensmill.evaluation.examples import Examples, load_examples
from lensmill.evaluation.table import Column, Table

EVALUATION, TABLE, LIMITS = "evaluation.json", "evaluation.parquet", "limits.parquet"
TRAIN = "train"
"""The folder, inside of an evaluation's, in which that of the training split is looked for."""


@dataclass(frozen=True)
class Evaluation:
    """What lies in an evaluation's folder; None for what does not."""

    summary: dict[str, Any]
    table: Table | None
    train: Table | None
    limits: Table | None
    examples: Examples

    @classmethod
    def read(cls, folder: Path) -> "Evaluation":
        """The evaluation in `folder`, which holds evaluation.json at least."""
        return cls(
            read_json(folder / EVALUATION),
            _columns(folder / TABLE),
            _columns(folder / TRAIN / TABLE),
            _columns(folder / LIMITS),
            load_examples(folder),
        )


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds no JSON object")
    return content


def plain(value: Any) -> Any:
    """`value` with null for numbers that are not finite, as JSON has it."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_parquet(path: Path) -> pa.Table:
    """The table in a Parquet file."""
    try:
        return pq.read_table(path)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path} is not Parquet: {error}") from None


def _columns(path: Path) -> dict[str, Column] | None:
    if not path.is_file():
        return None
    table = read_parquet(path)
    return {name: table[name].to_numpy() for name in table.column_names}
