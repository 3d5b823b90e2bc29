"""Selection: which share of lenses is found, against what they are."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from scipy.stats import beta

Values = Float[np.ndarray, " example"]
Found = Bool[np.ndarray, " example"]
Edges = tuple[float, ...]
DRAWS = 1000


@dataclass(frozen=True)
class Share:
    """A share of `total`, with its central 68 %; NaN of nothing."""

    value: float
    low: float
    high: float
    total: int

    @classmethod
    def of(cls, found: NDArray[np.bool_]) -> "Share":
        """The share of what is true; Jeffreys' interval, to 0 of none and to 1 of all."""
        count, total = int(found.sum()), len(found)
        if total == 0:
            return cls(float("nan"), float("nan"), float("nan"), 0)
        low, high = beta.ppf((0.16, 0.84), count + 0.5, total - count + 0.5)
        ends = float(low) if count else 0.0, float(high) if count < total else 1.0
        return cls(count / total, *ends, total)

    @classmethod
    def of_grouped(cls, found: NDArray[np.bool_], group: NDArray[Any]) -> "Share":
        """The same of examples that come in groups, which go together: groups are resampled, and
        the interval is Jeffreys' at least."""
        single = cls.of(found)
        if not single.total:
            return single
        names, place = np.unique(group, return_inverse=True)
        hits, totals = np.bincount(place, found), np.bincount(place)
        rows = np.random.default_rng(len(found)).integers(len(names), size=(DRAWS, len(names)))
        low, high = np.quantile(hits[rows].sum(1) / totals[rows].sum(1), (0.16, 0.84))
        return replace(single, low=min(single.low, float(low)), high=max(single.high, float(high)))


@dataclass(frozen=True)
class Bin:
    """The share found from one edge to the next; `middle`: the median value in it."""

    low: float
    high: float
    middle: float
    share: Share


def curve(
    found: Found, value: Values, edges: Edges, group: NDArray[Any] | None = None
) -> list[Bin]:
    """The share found in each bin that holds anything; `group`: see `Share.of_grouped`."""
    group = np.arange(len(found)) if group is None else group
    bins = []
    for low, high in pairwise(edges):
        rows = _between(value, low, high, high == edges[-1])
        if rows.any():
            share = Share.of_grouped(found[rows], group[rows])
            bins.append(Bin(low, high, float(np.median(value[rows])), share))
    return bins


def surface(
    found: Found, x: Values, y: Values, x_edges: Edges, y_edges: Edges
) -> NDArray[np.float64]:
    """The share found, (y bin, x bin); NaN of an empty one."""
    rows = [_between(y, *pair, pair[1] == y_edges[-1]) for pair in pairwise(y_edges)]
    columns = [_between(x, *pair, pair[1] == x_edges[-1]) for pair in pairwise(x_edges)]
    return np.array([[Share.of(found[row & column]).value for column in columns] for row in rows])


def _between(value: NDArray[Any], low: float, high: float, last: bool) -> NDArray[np.bool_]:
    """From `low` to below `high`, which the last bin holds too."""
    return np.asarray((value >= low) & ((value <= high) if last else (value < high)))


def quantile_edges(value: Values, bins: int) -> Edges:
    """Edges of bins that hold equally many; fewer where values are equal, two at least."""
    edges = np.unique(np.quantile(value, np.linspace(0, 1, bins + 1)))
    return tuple(edges.tolist()) if len(edges) > 1 else (float(edges[0]), float(edges[0]))
