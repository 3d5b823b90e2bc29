"""Symmetry: the eight turns and reflections of the square, acting on named quantities."""

import torch
from torch import Tensor

from lensmill.quantities import E1, E2, IMAGE_NAMES, Batch

ELEMENTS = range(8)
"""Bits: 1 swaps x and y, then 2 reverses y, then 4 reverses x. 0 is the identity."""


def turned(batch: Batch, element: int) -> Batch:
    """`batch` as it would be had the sky been turned: images, e1 and e2 change, nothing else.

    Swapping x and y takes φ to π/2 − φ, so e1 to −e1; reversing an axis takes φ to −φ, so e2 to
    −e2.
    """
    swap, reverse_y, reverse_x = (bool(element & bit) for bit in (1, 2, 4))
    signs = {E1.name: -1.0 if swap else 1.0, E2.name: -1.0 if reverse_y != reverse_x else 1.0}

    def act(name: str, value: Tensor) -> Tensor:
        if name in IMAGE_NAMES:
            value = value.mT if swap else value
            axes = [axis for axis, on in ((-2, reverse_y), (-1, reverse_x)) if on]
            return torch.flip(value, axes) if axes else value
        return signs[name] * value if name in signs else value

    return {name: act(name, value) for name, value in batch.items()}
