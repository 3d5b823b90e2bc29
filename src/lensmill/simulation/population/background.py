"""Background: the galaxies behind the lenses, as a luminosity–redshift–colour model.

A mixture of Gaussians over the normal scores of ln z, M_r, r, g − r and r − i, fitted to the
simulated catalogue of LensPop (r < 28). Sizes and shapes follow Collett 2015.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from lensmill.physics.cosmology import ARCSEC, angular_diameter_distance

Array = NDArray[np.float64]

UNIFORMS = 8
"""How many random numbers a galaxy takes."""


@dataclass(frozen=True)
class Galaxies:
    """Galaxies behind the lenses; all (galaxy,)."""

    redshift: Array
    g: Array  # AB, total
    r: Array
    i: Array
    half_light_radius: Array  # arcsec, product average of the axes
    q: Array


@dataclass(frozen=True)
class _Model:
    levels: Array
    quantiles: Array  # (variable, level)
    edges: Array  # upper edge of each component's share of [0, 1]
    means: Array
    cholesky: Array
    per_arcsec2: float


@cache
def _model() -> _Model:
    text = resources.files(__package__).joinpath("galaxies.json").read_text()
    table = json.loads(text)
    weights = np.array(table["weights"])
    return _Model(
        np.array(table["levels"]),
        np.array(list(table["quantiles"].values())),
        np.cumsum(weights / weights.sum()),
        np.array(table["means"]),
        np.array(table["cholesky"]),
        table["per_arcsec2"],
    )


def surface_density() -> float:
    """Galaxies brighter than r = 28 per arcsec²."""
    return _model().per_arcsec2


def highest_redshift() -> Array:
    """No galaxy lies beyond."""
    return np.asarray(np.exp(_model().quantiles[0, -1]))


def draw_redshifts(u: Array) -> Array:
    """Redshifts of what `draw_galaxies` draws, from the first two of each galaxy's uniforms."""
    model = _model()
    component = _component(u[:, 0])
    score = model.means[component, 0] + model.cholesky[component, 0, 0] * ndtri(u[:, 1])
    return np.asarray(np.exp(np.interp(ndtr(score), model.levels, model.quantiles[0])))


def _component(u: Array) -> NDArray[np.int64]:
    edges = _model().edges
    return np.minimum(np.searchsorted(edges, u), len(edges) - 1)


def draw_galaxies(u: Array) -> Galaxies:
    """Galaxies as they lie on the sky, from uniforms (galaxy, `UNIFORMS`)."""
    model, component = _model(), _component(u[:, 0])
    scatter = np.einsum("nij,nj->ni", model.cholesky[component], ndtri(u[:, 1:6]))
    ranks = ndtr(model.means[component] + scatter)
    columns = zip(ranks.T, model.quantiles, strict=True)
    ln_z, absolute, r, g_r, r_i = (np.interp(rank, model.levels, each) for rank, each in columns)
    redshift = np.exp(ln_z)
    radius = half_light_radius_kpc(absolute, redshift, u[:, 6])
    scale = 1e3 * angular_diameter_distance(redshift) * ARCSEC  # kpc / arcsec
    return Galaxies(redshift, r + g_r, r, r - r_i, radius / scale, axis_ratio(u[:, 7]))


def half_light_radius_kpc(absolute_magnitude: Array, redshift: Array, u: Array) -> Array:
    """log R_e = −(M_r + 18)/4, × ((1 + z)/1.6)^−1.2, scatter 0.35 dex (Collett 2015)."""
    logarithm = -(absolute_magnitude + 18) / 4 + 0.35 * ndtri(u)
    return np.asarray(10**logarithm * ((1 + redshift) / 1.6) ** -1.2)


def axis_ratio(u: Array) -> Array:
    """1 − q ~ Rayleigh(0.3), cut to q > 0.2."""
    allowed = 1 - np.exp(-0.5 * (0.8 / 0.3) ** 2)
    return 1 - 0.3 * np.sqrt(-2 * np.log1p(-u * allowed))
