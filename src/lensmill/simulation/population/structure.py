"""Structure: galaxies and knots of light from which impostors are put together."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from lensmill.simulation.population.light import gri

Array = NDArray[np.float64]
Colours = tuple[Array, Array]
"""g − r and r − i."""

SLOTS = 6
"""Galaxy components that an impostor has beside the pair's lens galaxy."""
POINTS = 192
"""Knots of an impostor's arms, ring or tails: closer to each other than any ground's seeing."""
UNIFORMS = 32
BLUE = (0.25, 0.1)
"""g − r and r − i of a young population; those of LensPop's sources have medians 0.04 and 0.03."""


@dataclass(frozen=True)
class Site:
    """The pairs that impostors replace, and the random numbers that shape these; all (row, …)."""

    pair: dict[str, Array]
    phi: Array  # position angle of the lens galaxy, radian from +x
    x: Array  # its centre, arcsec
    y: Array
    u: Array  # (row, UNIFORMS)
    v: Array  # (row, POINTS, 3)

    def colours(self, blue: Array) -> Colours:
        """From the lens galaxy's (0) to a young population's (1)."""
        red = (self.pair["g_minus_r_lens"], self.pair["r_minus_i_lens"])
        return red[0] + blue * (BLUE[0] - red[0]), red[1] + blue * (BLUE[1] - red[1])


@dataclass(frozen=True)
class Galaxies:
    """Sérsic components, as in `Scene`; all (row, component), magnitudes (row, component, band)."""

    magnitude: Array
    half_light_radius: Array
    index: Array
    q: Array
    phi: Array
    x: Array
    y: Array


@dataclass(frozen=True)
class Knots:
    """Points of light, as in `Scene`; all (row, point), magnitudes (row, point, band)."""

    magnitude: Array
    x: Array
    y: Array


@dataclass(frozen=True)
class Impostor:
    """What is seen of an impostor: galaxies, knots, and where the pair's lens galaxy stays."""

    galaxies: Galaxies
    knots: Knots
    keeps_lens: NDArray[np.bool_]


def between(low: float, high: float, u: Array) -> Array:
    """Uniform in [low, high]."""
    return low + (high - low) * u


def less(share: Array) -> Array:
    """Magnitudes by which `share` of a flux is fainter than all of it; inf for nothing."""
    with np.errstate(divide="ignore"):
        return -2.5 * np.log10(share)


def galaxy(
    i: Array,
    colours: Colours,
    radius: Array,
    index: Array | float,
    q: Array | float,
    phi: Array,
    place: tuple[Array, Array],
) -> Galaxies:
    """One component of each row, of total i magnitude `i`, at `place` (x, y)."""
    rest = (np.broadcast_to(value, i.shape)[:, None] for value in (radius, index, q, phi, *place))
    return Galaxies(gri(i, *colours)[:, None], *rest)


def joined(count: int, *parts: Galaxies) -> Galaxies:
    """The components of all `parts` in `count` rows, made `SLOTS` with dark ones."""
    missing = SLOTS - sum(part.x.shape[1] for part in parts)
    ones = np.ones((count, missing))
    dark = Galaxies(np.full((count, missing, 3), np.inf), *(ones,) * 3, *(0 * ones,) * 3)
    names = [f.name for f in fields(Galaxies)]
    columns = ([getattr(part, name) for part in (*parts, dark)] for name in names)
    return Galaxies(*(np.concatenate(column, axis=1) for column in columns))


def knots(i: Array, colours: Colours, weight: Array, place: tuple[Array, Array]) -> Knots:
    """Points of total i magnitude `i` that share its flux by `weight` (row, point)."""
    share = weight / weight.sum(1, keepdims=True)
    pale = (colours[0][:, None], colours[1][:, None])
    return Knots(gri(i[:, None] + less(share), *pale), *place)


def no_knots(count: int) -> Knots:
    """Points without light."""
    x, y = np.zeros((2, count, POINTS))
    return Knots(np.full((count, POINTS, 3), np.inf), x, y)


def turned(u: Array, v: Array, angle: Array) -> tuple[Array, Array]:
    """(x, y) of a point u along `angle` and v across it."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return cosine * u - sine * v, sine * u + cosine * v


def projected(
    radius: Array, azimuth: Array, q: Array, phi: Array, centre: tuple[Array, Array]
) -> tuple[Array, Array]:
    """(x, y) on the sky of points (row, point) in disks of axis ratio `q` along `phi` (row,)."""
    u, v = radius * np.cos(azimuth), q[:, None] * radius * np.sin(azimuth)
    x, y = turned(u, v, phi[:, None])
    return centre[0][:, None] + x, centre[1][:, None] + y


def seen_flat(cosine: Array, thickness: float) -> Array:
    """Axis ratio of a disk of `thickness` whose normal is inclined by acos(`cosine`)."""
    return np.sqrt(cosine**2 + thickness**2 * (1 - cosine**2))
