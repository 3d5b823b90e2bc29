"""Rows: dataclasses of arrays, taken apart and put together."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


def joined(parts: list[Any]) -> Any:
    """Dataclasses of arrays, and of such dataclasses, one after another."""
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    columns = (joined([getattr(part, name) for part in parts]) for name in vars(parts[0]))
    return type(parts[0])(*columns)


def chosen_rows(part: Any, rows: NDArray[np.int64]) -> Any:
    """The `rows` of every array."""
    if isinstance(part, np.ndarray | Tensor):
        return part[rows]
    return type(part)(*(chosen_rows(value, rows) for value in vars(part).values()))
