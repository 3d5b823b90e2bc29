"""Statistics: a number, how well it is known, and what it rests on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

DRAWS = 200

Array = NDArray[Any]
Statistic = Callable[..., float]


@dataclass(frozen=True)
class Figure:
    """A value, its bootstrap standard error, and how many examples it rests on: of one column,
    those that are numbers."""

    value: float
    error: float
    n: int


def figure(statistic: Statistic, *columns: Array) -> Figure:
    """`statistic(*columns)` with the spread of `DRAWS` resamplings; NaN of no example."""
    count = len(columns[0])
    if count == 0:
        return Figure(float("nan"), float("nan"), 0)
    generator = np.random.default_rng(count)
    chosen = generator.integers(count, size=(DRAWS, count))
    draws = np.array([statistic(*(column[rows] for column in columns)) for rows in chosen])
    finite = draws[np.isfinite(draws)]
    error = float(finite.std()) if len(finite) else float("nan")
    value = float(statistic(*columns))
    if statistic is share and value in (0, 1):
        error = _error_of_all(count)
    return Figure(value, error, int((~np.isnan(columns[0])).sum()) if len(columns) == 1 else count)


def _error_of_all(count: int) -> float:
    """Of a share of none or of all, which no resampling changes: the standard deviation of its
    Jeffreys posterior."""
    return float(np.sqrt(0.5 * (count + 0.5) / (count + 2)) / (count + 1))


def median(column: Array) -> float:
    """The median of what is known."""
    known = column[~np.isnan(column)]
    return float(np.median(known)) if len(known) else float("nan")


def mean(column: Array) -> float:
    """The mean of what is finite: no picture is perfect, but that of a sky without source is."""
    finite = column[np.isfinite(column)]
    return float(finite.mean()) if len(finite) else float("nan")


def share(column: Array) -> float:
    """The share of what is true."""
    return float(column.mean())
