"""Symmetry: the eight turns and reflections of the square, acting on named quantities."""

import torch
from torch import Tensor

from lensmill.quantities import (
    E1,
    E2,
    IMAGE_NAMES,
    POSTERIOR_MEAN,
    POSTERIOR_SCALE_TRIL,
    Batch,
)

ELEMENTS = range(8)
"""Bits: 1 swaps x and y, then 2 reverses y, then 4 reverses x. 0 is the identity."""


def turned(batch: Batch, element: int) -> Batch:
    """`batch` as it would be had the sky been turned: images, e1, e2 and their posterior change.

    Swapping x and y takes φ to π/2 − φ, so e1 to −e1; reversing an axis takes φ to −φ, so e2 to
    −e2. A covariance L Lᵀ goes to S L Lᵀ S, with signs S, whose Cholesky factor is S L S.
    """
    swap, reverse_y, reverse_x = (bool(element & bit) for bit in (1, 2, 4))
    e1, e2 = -1.0 if swap else 1.0, -1.0 if reverse_y != reverse_x else 1.0
    signs = {E1.name: e1, E2.name: e2}

    def act(name: str, value: Tensor) -> Tensor:
        if name in IMAGE_NAMES:
            value = value.mT if swap else value
            axes = [axis for axis, on in ((-2, reverse_y), (-1, reverse_x)) if on]
            return torch.flip(value, axes) if axes else value
        if name in (POSTERIOR_MEAN.name, POSTERIOR_SCALE_TRIL.name):
            sign = value.new_tensor([1.0, e1, e2])
            both = sign if name == POSTERIOR_MEAN.name else sign[:, None] * sign
            return value * both
        return signs[name] * value if name in signs else value

    return {name: act(name, value) for name, value in batch.items()}


def inverse(element: int) -> int:
    """The element that undoes `element`: after a swap, what reversed y reverses x."""
    swap, reverse_y, reverse_x = element & 1, element & 2, element & 4
    return swap | reverse_y << 1 | reverse_x >> 1 if swap else element
