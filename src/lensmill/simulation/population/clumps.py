"""Clumps: star-forming knots within the disk of a source."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from lensmill.simulation.counter import uniform
from lensmill.simulation.population.structure import Array, between, turned
from lensmill.simulation.scene import Sersic, as_tensor, join, mapped

STREAM = 22
SMALLEST = 0.02
"""arcsec, the least half-light radius of a clump."""
REACH = 1.5
"""Half-light radii of the source within which its clumps lie."""


def with_clumps(source: Sersic, seed: int, indices: Int[Tensor, " batch"], count: int) -> Sersic:
    """`source` with `count` more components out of its disk; total magnitudes are unchanged.

    The disk is the last component, behind a bulge if there is one; a pure bulge has no clumps.
    Clumps hold 10–50 % of its i light: one gives a few to ten per cent of its galaxy's, all of
    them 20 % and more (Guo et al. 2012, 2015; Soto et al. 2017). They are up to 0.3 mag bluer in
    g − r and half of that in r − i, and smaller by 4 to 15 times.
    """
    bulge: Sersic = mapped(source, lambda value: value[:, :-1])
    disk: Sersic = mapped(source, lambda value: value[:, -1:])
    u = uniform(seed, indices, STREAM, 2 + 6 * count).numpy()
    w = np.moveaxis(u[:, 2:].reshape(len(u), count, 6), 2, 0)
    share = torch.from_numpy(_shares(u, w[0]))
    left = 1 - share.sum(1, keepdim=True)
    clumps = _within(disk, _of(disk, share), w)
    return join(bulge, replace(disk, magnitude=_of(disk, left)), clumps)


def _shares(u: Array, w: Array) -> Array:
    """Of the light of each band, (scene, clump, band)."""
    weight = -np.log(w)
    part = between(0.1, 0.5, u[:, :1]) * weight / weight.sum(1, keepdims=True)
    bluer = 0.3 * u[:, 1, None, None] * np.array([1.5, 0.5, 0.0])
    return np.asarray(part[..., None] * 10 ** (0.4 * bluer))


def _of(source: Sersic, share: Tensor) -> Tensor:
    """Magnitudes (scene, clump, band) of shares of its light."""
    return (source.magnitude.double() - 2.5 * share.log10()).float()


def _within(source: Sersic, magnitude: Tensor, w: Array) -> Sersic:
    """Small galaxies, even over the ellipse of `REACH` half-light radii of `source`."""
    size, q, phi, x, y = (
        getattr(source, name).double().numpy()
        for name in ("half_light_radius", "q", "phi", "x", "y")
    )
    radius, angle = REACH * size * np.sqrt(w[1]), 2 * np.pi * w[2]
    stretch = np.sqrt(q)
    dx, dy = turned(radius / stretch * np.cos(angle), radius * stretch * np.sin(angle), phi)
    small = np.maximum(size * between(1 / 15, 1 / 4, w[3]), np.minimum(SMALLEST, size))
    columns = (small, np.ones_like(small), between(0.6, 1.0, w[4]), np.pi * w[5], x + dx, y + dy)
    return Sersic(magnitude, *map(as_tensor, columns))
