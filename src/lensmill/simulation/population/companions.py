"""Companions: unrelated galaxies and stars that share a stamp with the lens."""

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import poisson
from torch import Tensor

from lensmill.simulation.counter import uniform
from lensmill.simulation.population.light import gri
from lensmill.simulation.scene import Sersic, as_tensor

STREAM = 2
SLOTS = 3
"""At most this many companions in a stamp."""
STAR_FRACTION = 0.15
HALO = 2.5
"""arcsec, the scatter of satellites about the lens galaxy, per axis."""
BRIGHT, FAINT = 19.0, 26.0
"""i magnitudes between which companions are drawn, N(<m) ∝ 10^(0.3 m) (galaxy counts)."""

Array = NDArray[np.float64]


def draw_companions(
    seed: int, indices: Int[Tensor, " batch"], mean: float, field: float, satellites: float = 0.0
) -> Sersic:
    """`SLOTS` components (g, r, i) within ±`field` arcsec; those not present have no flux.

    satellites: the share that gathers around the stamp's centre.
    """
    u = uniform(seed, indices, STREAM, 1 + 11 * SLOTS).numpy()
    count = poisson.ppf(u[:, 0], mean) if mean > 0 else np.zeros(len(u))
    slots = u[:, 1:].reshape(len(u), SLOTS, 11)
    present = np.arange(SLOTS) < count[:, None]
    near = (slots[..., 10] < satellites)[..., None]
    place = slots[..., 7:9]
    x, y = np.moveaxis(np.where(near, HALO * ndtri(place), field * (2 * place - 1)), -1, 0)
    return _companions(slots, present, x, y)


def _companions(u: Array, present: NDArray[np.bool_], x: Array, y: Array) -> Sersic:
    slope = 0.3 * np.log(10)
    low, high = np.exp(slope * BRIGHT), np.exp(slope * FAINT)
    i = np.log(low + (high - low) * u[..., 0]) / slope
    star = u[..., 1] < STAR_FRACTION
    # Half-light radii shrink with magnitude as in deep HST counts: ~0.5″ at i = 22.5.
    radius = 0.5 * 10 ** (-0.1 * (i - 22.5)) * np.exp(0.4 * (2 * u[..., 2] - 1))
    g_r, r_i = -0.1 + 1.4 * u[..., 3], -0.1 + 0.9 * u[..., 4]
    i = np.where(present, i, np.inf)
    return Sersic(
        magnitude=as_tensor(gri(i, g_r, r_i)),
        half_light_radius=as_tensor(np.where(star, 0.01, radius)),
        index=as_tensor(np.where(u[..., 9] < 0.3, 4.0, 1.0)),
        q=as_tensor(np.where(star, 1.0, 0.3 + 0.7 * u[..., 5])),
        phi=as_tensor(np.pi * u[..., 6]),
        x=as_tensor(x),
        y=as_tensor(y),
    )
