"""Table 1 of Madireddy et al. 2019, row by row: the paper's number, ours, and the limit.

Ours are all of the same held-out systems; the paper's are of 200 images in part (a), 12,000 in (b)
and (d), 120,000 in (c). "From true": the module was given the simulator's images.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lensmill.evaluation.least import beside
from lensmill.evaluation.table import Table
from lensmill.evaluation.targets import Ranges

HEAD = ("Table 1", "paper", "ours", "± error", "n", "limit", "ours − limit")


@dataclass(frozen=True)
class Row:
    """A row of the paper's table: its part, what it is, and the figure that answers it."""

    part: str
    text: str
    paper: float
    figure: str


UNKNOWN = "–: not measured (straight from noisy: networks of their own; limit: lensmill limits)"
ROWS = (
    Row("a", "noisy against clean, dB", 22.56, "display_psnr_noisy_mean"),
    Row("a", "denoised against clean, dB", 47.91, "display_psnr_denoised_mean"),
    Row("a", "clean against source, dB", 14.47, "display_psnr_clean_vs_source_mean"),
    Row("a", "deblended from true clean, dB", 35.03, "display_psnr_source_from_truth_mean"),
    Row("b", "accuracy, straight from noisy", 0.82, "accuracy_from_noisy"),
    Row("b", "accuracy, from true source", 0.99, "accuracy_from_truth"),
    Row("b", "MAE, straight from noisy", 0.08, "mae_from_noisy"),
    Row("b", "MAE, from true source", 0.03, "mae_from_truth"),
    Row("c", "noisy against clean, dB", 22.71, "display_psnr_noisy_mean"),
    Row("c", "denoised against clean, dB", 47.15, "display_psnr_denoised_mean"),
    Row("c", "denoised against source, dB", 13.59, "display_psnr_denoised_vs_source_mean"),
    Row("c", "deblended, chained, dB", 26.87, "display_psnr_source_chained_mean"),
    Row("d", "accuracy, chained", 0.90, "accuracy"),
    Row("d", "MAE, chained", 0.06, "mae_chained"),
)


def table_one(
    summary: Mapping[str, Any], table: Table | None = None, limits: Table | None = None
) -> list[tuple[str, ...]]:
    """The rows as text, under `HEAD`; – where a figure or a limit is not known.

    Limits and the distance from them are means over the systems that both tables have.
    """
    ranges = summary.get("provenance", {}).get("target_ranges")
    return [_cells(row, summary, _limit(row, table, limits, ranges)) for row in ROWS]


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows under `HEAD` as lines of a terminal."""
    lines = [HEAD, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _limit(
    row: Row, table: Table | None, limits: Table | None, ranges: Ranges | None
) -> tuple[float, float] | None:
    """(limit, ours − limit), where the row has one."""
    if table is None or limits is None:
        return None
    found = beside(row.figure, table, limits, ranges)
    if found is None:
        return None
    reached, limit = found
    return float(limit.mean()), float((reached - limit).mean())


def _cells(
    row: Row, summary: Mapping[str, Any], limit: tuple[float, float] | None
) -> tuple[str, ...]:
    figure = summary.get(row.figure) or {}
    digits = 2 if row.paper > 1 else 4 if "MAE" in row.text else 3
    best, distance = limit or (None, None)
    return (
        f"({row.part}) {row.text}",
        f"{row.paper:.2f}",
        _number(figure.get("value"), digits),
        _number(figure.get("error"), digits),
        str(figure.get("n", "–")),
        _number(best, digits),
        _number(distance, digits),
    )


def _number(value: float | None, digits: int) -> str:
    known = value is not None and math.isfinite(value)
    return f"{value:.{digits}f}".replace("-", "−") if known else "–"
