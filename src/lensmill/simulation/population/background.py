"""Background: the galaxies behind the lenses, by a fitted model or the rows of a catalogue.

Sizes and shapes follow Collett 2015.
"""

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from lensmill.physics.cosmology import ARCSEC, angular_diameter_distance
from lensmill.simulation.population.tables import Key, digest, mapped, read_table, usable

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


class Background(ABC):
    """Galaxies as they lie on the sky: functions of uniforms (galaxy, `UNIFORMS`)."""

    @property
    @abstractmethod
    def per_arcsec2(self) -> float:
        """Galaxies per arcsec²."""

    @property
    @abstractmethod
    def digest(self) -> str:
        """Of what they are drawn from."""

    @property
    @abstractmethod
    def farthest(self) -> float:
        """No redshift is higher."""

    @abstractmethod
    def redshifts(self, u: Array) -> Array:
        """Redshifts of what `draw` draws, from the first two of each galaxy's uniforms."""

    @abstractmethod
    def photometry(self, u: Array) -> tuple[Array, ...]:
        """(redshift, M_r, g, r, i), from the first six."""

    def draw(self, u: Array) -> Galaxies:
        """The galaxies."""
        redshift, absolute, g, r, i = self.photometry(u[:, :6])
        radius = half_light_radius_kpc(absolute, redshift, u[:, 6])
        scale = 1e3 * angular_diameter_distance(redshift) * ARCSEC  # kpc / arcsec
        return Galaxies(redshift, g, r, i, radius / scale, axis_ratio(u[:, 7]))


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


@dataclass(frozen=True)
class Fitted(Background):
    """A mixture of Gaussians over the normal scores of ln z, M_r, r, g − r and r − i, fitted to
    the simulated catalogue of LensPop (r < 28) by `benchmarks/fit_sources.py`."""

    @property
    def per_arcsec2(self) -> float:
        return _model().per_arcsec2

    @property
    def digest(self) -> str:
        return digest(*map(np.asarray, vars(_model()).values()))

    @property
    def farthest(self) -> float:
        return float(np.exp(_model().quantiles[0, -1]))

    def redshifts(self, u: Array) -> Array:
        model, component = _model(), _component(u[:, 0])
        score = model.means[component, 0] + model.cholesky[component, 0, 0] * ndtri(u[:, 1])
        return np.asarray(np.exp(np.interp(ndtr(score), model.levels, model.quantiles[0])))

    def photometry(self, u: Array) -> tuple[Array, ...]:
        model, component = _model(), _component(u[:, 0])
        scatter = np.einsum("nij,nj->ni", model.cholesky[component], ndtri(u[:, 1:]))
        ranks = zip(ndtr(model.means[component] + scatter).T, model.quantiles, strict=True)
        ln_z, absolute, r, g_r, r_i = (np.interp(rank, model.levels, each) for rank, each in ranks)
        return np.exp(ln_z), absolute, r + g_r, r, r - r_i


def _component(u: Array) -> NDArray[np.int64]:
    edges = _model().edges
    return np.minimum(np.searchsorted(edges, u), len(edges) - 1)


KEYS = {
    "redshift": Key("", 1e-2, 12),
    "absolute_magnitude": Key("mag", -30, 0),
    **{band: Key("mag", 0, 60) for band in "gri"},
}
"""What a catalogue of background galaxies holds."""


@dataclass(frozen=True)
class Rows(Background):
    """The galaxies of a catalogue, each as likely as any other.

    table: a file, see `tables`. columns, units: as of `Catalogue`, for the names of `KEYS`
    (absolute_magnitude is M_r). square_degrees: that the catalogue covers.
    """

    table: str
    columns: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    square_degrees: float = 1.0

    @cached_property
    def rows(self) -> dict[str, Array]:
        """The catalogue's columns, good rows alone."""
        found = mapped(read_table(Path(self.table)), KEYS, self.columns, self.units)
        return usable(self.table, KEYS, found)

    @property
    def per_arcsec2(self) -> float:
        return len(self.rows["redshift"]) / (self.square_degrees * 3600**2)

    @property
    def digest(self) -> str:
        return digest(*self.rows.values())

    @property
    def farthest(self) -> float:
        return float(self.rows["redshift"].max())

    def redshifts(self, u: Array) -> Array:
        return self.rows["redshift"][self._number(u)]

    def photometry(self, u: Array) -> tuple[Array, ...]:
        number = self._number(u)
        return tuple(self.rows[name][number] for name in KEYS)

    def _number(self, u: Array) -> NDArray[np.int64]:
        return (u[:, 0] * len(self.rows["redshift"])).astype(np.int64)


def half_light_radius_kpc(absolute_magnitude: Array, redshift: Array, u: Array) -> Array:
    """log R_e = −(M_r + 18)/4, × ((1 + z)/1.6)^−1.2, scatter 0.35 dex (Collett 2015)."""
    logarithm = -(absolute_magnitude + 18) / 4 + 0.35 * ndtri(u)
    return np.asarray(10**logarithm * ((1 + redshift) / 1.6) ** -1.2)


def axis_ratio(u: Array) -> Array:
    """1 − q ~ Rayleigh(0.3), cut to q > 0.2."""
    allowed = 1 - np.exp(-0.5 * (0.8 / 0.3) ** 2)
    return 1 - 0.3 * np.sqrt(-2 * np.log1p(-u * allowed))
