"""Arrange: which rows are shown, in which order, and which come again."""

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lensmill.board.candidates import KEY
from lensmill.board.where import known_column, where

LAG = 30
"""Places after which an object comes again: beyond what one remembers."""


@dataclass(frozen=True)
class Query:
    """What is asked for, as the address of a page says it."""

    where: str = ""
    sort: str = "-p_lens"  # a column; with "-" the largest first
    grader: str = "me"  # as the page has it where its address has none
    repeats: int = 0  # percent of the objects that come again, for the grader's own consistency
    rows: int | None = None  # of the run, the first so many; and the grades up to a revision:
    revision: int | None = None  # a list stands still while one grades what is in it


@dataclass(frozen=True)
class Arrangement:
    """One place after another: the row shown there, and whether it is its first time or second."""

    rows: NDArray[np.int64]
    rounds: NDArray[np.int64]


def arrange(table: pa.Table, query: Query, current: NDArray[np.bool_] | bool = True) -> Arrangement:
    """The `current` rows of `table` that `query` asks for.

    ValueError where the filter or sort is wrong.
    """
    rows = np.flatnonzero(where(table, query.where) & current)
    name = query.sort.removeprefix("-")
    if name:
        direction = "descending" if query.sort.startswith("-") else "ascending"
        column = {"value": table[known_column(table, name)].take(pa.array(rows))}
        order = pc.sort_indices(pa.table(column), sort_keys=[("value", direction)])
        rows = rows[order.to_numpy()]
    return _with_repeats(table, rows, query)


def _with_repeats(table: pa.Table, rows: NDArray[np.int64], query: Query) -> Arrangement:
    """Some rows again `LAG` places later, or at the end; which, the grader's name decides."""
    again = np.array([], int)
    if query.repeats > 0:
        keys = table[KEY].take(pa.array(rows)).to_pylist()
        chosen = [_share(key, query.grader) * 100 < query.repeats for key in keys]
        again = np.flatnonzero(chosen)
    places = np.concatenate([np.arange(len(rows)), again + LAG + 0.5])
    rounds = np.repeat([1, 2], [len(rows), len(again)])
    order = np.argsort(places, kind="stable")
    return Arrangement(np.concatenate([rows, rows[again]])[order], rounds[order])


def _share(key: str, grader: str) -> float:
    """A number in [0, 1) that is always the same for an object and a grader."""
    digest = blake2b(f"{grader}\0{key}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") / 2**32
