"""Grids: the range of stamp shapes and pixel scales that a data set covers."""

from dataclasses import dataclass

import torch

from lensmill.grid import Grid
from lensmill.simulation.counter import uniform

STREAM = 4


@dataclass(frozen=True)
class Grids:
    """Shapes (y, x) from `smallest` to `largest`, pixel scales (arcsec) in `pixel_scale`."""

    smallest: tuple[int, int]
    largest: tuple[int, int]
    pixel_scale: tuple[float, float]

    def draw(self, seed: int, key: int) -> Grid:
        """Grid number `key`: a function of (seed, key) alone."""
        u = uniform(seed, torch.tensor([key]), STREAM, 3)[0].tolist()
        y, x = (
            low + int(draw * (high - low + 1))
            for low, high, draw in zip(self.smallest, self.largest, u[:2], strict=True)
        )
        low, high = self.pixel_scale
        return Grid((y, x), low + (high - low) * u[2])
