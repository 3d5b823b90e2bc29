"""Priors: a first population, with the marginals and correlations of LensPop's LSST lenses.

A Gaussian copula over fourteen quantities of a lens and its source. What the list does not hold
(bulge and disk, companions, the scatter of mass against light) is stated field by field.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from torch import Tensor

from lensmill.simulation.counter import uniform
from lensmill.simulation.population.companions import draw_companions
from lensmill.simulation.scene import Mass, Scene, Sersic, as_tensor, join, on_device
from lensmill.units import axis_ratio_from_ellipticity, ellipticity_from_axis_ratio

STREAM = 0
Array = NDArray[np.float64]


@cache
def _table() -> tuple[tuple[str, ...], Array, Array, Array]:
    """Variable names, quantile levels, marginals, Cholesky factor of the copula."""
    text = resources.files(__package__).joinpath("lsst_lenses.json").read_text()
    table = json.loads(text)
    marginals = np.array(list(table["marginals"].values()))
    correlation = np.array(table["correlation"]) + 1e-3 * np.eye(len(marginals))
    cholesky: Array = np.linalg.cholesky(correlation).astype(np.float64)
    cholesky = cholesky / np.sqrt(np.square(cholesky).sum(1, keepdims=True))
    return tuple(table["marginals"]), np.array(table["quantiles"]), marginals, cholesky


def draw_lensed_pairs(u: Array) -> dict[str, Array]:
    """Lens and source quantities from uniforms (n, 14): copula, then each marginal's quantiles."""
    names, levels, marginals, cholesky = _table()
    ranks = ndtr(ndtri(u) @ cholesky.T)
    columns = zip(names, marginals, ranks.T, strict=True)
    return {name: np.interp(rank, levels, marginal) for name, marginal, rank in columns}


@dataclass(frozen=True)
class Priors:
    """LensPop's LSST lenses as a copula, half of the scenes lenses.

    lens_fraction: of scenes; a non-lens is the same draw with the deflection set to zero.
    bright_fraction: of the non-lenses, have a source brightened by up to `bright_magnitudes` and
        moved to up to 2.5 θ_E, so that brightness and distance alone do not make a lens.
    empty_fraction: of the non-lenses, have no source at all.
    brightening: mag, sources are brightened by up to this (uniform): the lenses that a survey
        shallower than LSST's coadd detects have brighter sources.
    ellipticity_scatter: standard deviation of (e1, e2) of the mass about those of the light.
    centre_scatter: arcsec, of the lens galaxy about the stamp's centre, per axis.
    companions: mean number of unrelated galaxies and stars in each stamp, of which three at most
        are placed; `field`: arcsec, the half-width over which they are spread, but for a share of
        `satellites`, which gather around the lens.
    """

    lens_fraction: float = 0.5
    bright_fraction: float = 0.5
    bright_magnitudes: float = 3.0
    empty_fraction: float = 0.0
    brightening: float = 0.0
    ellipticity_scatter: float = 0.04
    centre_scatter: float = 0.05
    companions: float = 2.0
    field: float = 8.0
    satellites: float = 0.0

    @property
    def bands(self) -> tuple[str, ...]:
        """g, r, i: the bands of the list."""
        return ("g", "r", "i")

    def draw(self, seed: int, indices: Int[Tensor, " batch"]) -> Scene:
        """The scenes `indices`; scene i is a function of (seed, i) alone."""
        u = uniform(seed, indices.cpu(), STREAM, 32).numpy()
        pair = draw_lensed_pairs(u[:, :14])
        is_lens = u[:, 14] < self.lens_fraction
        phi = np.pi * u[:, 15]
        centre = self.centre_scatter * ndtri(u[:, 16:18]).T
        scene = Scene(
            is_lens=torch.from_numpy(is_lens),
            mass=self._mass(pair, is_lens, phi, centre, u[:, 18:20]),
            foreground=join(
                _lens_light(pair, phi, centre, u[:, 20:25]),
                draw_companions(seed, indices.cpu(), self.companions, self.field, self.satellites),
            ),
            source=self._source(pair, is_lens, centre, u[:, 25:32]),
            redshift_lens=as_tensor(pair["z_lens"]),
            redshift_source=as_tensor(pair["z_source"]),
        )
        return on_device(scene, indices.device)

    def _mass(
        self,
        pair: dict[str, Array],
        is_lens: NDArray[np.bool_],
        phi: Array,
        centre: Array,
        u: Array,
    ) -> Mass:
        light = ellipticity_from_axis_ratio(torch.from_numpy(pair["q_lens"]), torch.from_numpy(phi))
        scatter = torch.from_numpy(self.ellipticity_scatter * ndtri(u).T)
        e1, e2 = light[0] + scatter[0], light[1] + scatter[1]
        shrink = torch.clamp(0.66 / torch.hypot(e1, e2).clamp(min=1e-9), max=1.0)  # q ≥ 0.2
        q, angle = axis_ratio_from_ellipticity(e1 * shrink, e2 * shrink)
        theta_E = np.where(is_lens, np.exp(pair["ln_theta_E"]), 0.0)
        x, y = map(as_tensor, centre)
        return Mass(as_tensor(theta_E), q.float(), angle.float(), x, y)

    def _source(
        self, pair: dict[str, Array], is_lens: NDArray[np.bool_], centre: Array, u: Array
    ) -> Sersic:
        """The source: anywhere around the lens (its angle is uniform), n = 1."""
        bright = ~is_lens & (u[:, 0] < self.bright_fraction)
        beta = pair["beta_over_theta_E"] * np.exp(pair["ln_theta_E"])
        beta = np.where(bright, 2.5 * np.exp(pair["ln_theta_E"]) * np.sqrt(u[:, 1]), beta)
        i = pair["i_source"] - np.where(bright, self.bright_magnitudes * u[:, 2], 0.0)
        i = i - self.brightening * u[:, 5]
        i = np.where(~is_lens & (u[:, 6] < self.empty_fraction), np.inf, i)
        angle = 2 * np.pi * u[:, 3]
        return Sersic(
            magnitude=_magnitudes(i, pair["g_minus_r_source"], pair["r_minus_i_source"]),
            half_light_radius=_components(np.exp(pair["ln_radius_source"])),
            index=torch.ones(len(i), 1),
            q=_components(pair["q_source"]),
            phi=_components(np.pi * u[:, 4]),
            x=_components(centre[0] + beta * np.cos(angle)),
            y=_components(centre[1] + beta * np.sin(angle)),
        )


def _lens_light(pair: dict[str, Array], phi: Array, centre: Array, u: Array) -> Sersic:
    """Bulge (n = 4) and disk (n = 1) of the lens galaxy, one position angle, own axis ratios.

    Half of the lenses are pure bulges, as in Collett 2015; the others take a bulge fraction
    uniform in [0.2, 1]. Disks are larger, flatter and bluer than their bulges.
    """
    bulge_fraction = np.where(u[:, 0] < 0.5, 1.0, 0.2 + 0.8 * u[:, 1])
    bluer = 0.1 + 0.3 * u[:, 2]
    i, g_r, r_i = pair["i_lens"], pair["g_minus_r_lens"], pair["r_minus_i_lens"]
    radius = np.exp(pair["ln_radius_lens"])
    has_disk = bulge_fraction < 1
    with np.errstate(divide="ignore"):
        bulge = _magnitudes(i - 2.5 * np.log10(bulge_fraction), g_r, r_i)
        disk = _magnitudes(i - 2.5 * np.log10(1 - bulge_fraction), g_r - bluer, r_i - bluer / 2)
    bulge_radius = np.where(has_disk, radius * (0.5 + 0.4 * u[:, 3]), radius)
    disk_q = np.clip(pair["q_lens"] * (0.8 + 0.2 * u[:, 4]), 0.15, 1.0)
    return Sersic(
        magnitude=torch.cat([bulge, disk], 1),
        half_light_radius=_components(bulge_radius, radius * (1.1 + 0.7 * u[:, 3])),
        index=torch.tensor([4.0, 1.0]).expand(len(i), 2),
        q=_components(pair["q_lens"], disk_q),
        phi=_components(phi, phi),
        x=_components(centre[0], centre[0]),
        y=_components(centre[1], centre[1]),
    )


def _components(*values: Array) -> Tensor:
    return as_tensor(np.stack(values, axis=1))


def _magnitudes(i: Array, g_minus_r: Array, r_minus_i: Array) -> Tensor:
    """(batch, 1, band): g, r, i of one component."""
    r = i + r_minus_i
    return as_tensor(np.stack([r + g_minus_r, r, i], axis=1)[:, None])
