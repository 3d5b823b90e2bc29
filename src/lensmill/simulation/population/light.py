"""Light: how the light of a lens or source galaxy divides into Sérsic components.

A light model is a function (pair, seed, indices) -> Light, row by row a function of the pair and of
(seed, index) alone. The pair's total magnitudes are kept.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor

from lensmill.simulation.counter import uniform
from lensmill.simulation.population import cosmodc2
from lensmill.simulation.scene import Sersic, as_tensor

STREAM_MIXED = 5
"""Assembly's, whose numbers 6 to 10 are kept for this."""
STREAM_LENS, STREAM_SOURCE = 14, 15
Array = NDArray[np.float64]
Pairs = dict[str, Array]


@dataclass(frozen=True)
class Light:
    """Components of each galaxy that share its centre and position angle."""

    magnitude: Array  # (galaxy, component, band)
    half_light_radius: Array  # (galaxy, component), arcsec, product average of the axes
    index: tuple[float, ...]  # of each component
    q: Array  # (galaxy, component)

    def placed(self, phi: Array, x: Array, y: Array) -> Sersic:
        """The components at (x, y) arcsec with their major axis along `phi` (radian from +x)."""
        count, components = self.q.shape
        along, across, up = (np.repeat(each[:, None], components, 1) for each in (phi, x, y))
        return Sersic(
            magnitude=as_tensor(self.magnitude),
            half_light_radius=as_tensor(self.half_light_radius),
            index=torch.tensor(self.index).expand(count, components),
            q=as_tensor(self.q),
            phi=as_tensor(along),
            x=as_tensor(across),
            y=as_tensor(up),
        )


Model = Callable[[Pairs, int, Int[Tensor, " batch"]], Light]


def magnitudes(pair: Pairs, role: str) -> Array:
    """(galaxy, band): g, r, i of the pair's "lens" or "source"."""
    r = pair[f"i_{role}"] + pair[f"r_minus_i_{role}"]
    return np.stack([r + pair[f"g_minus_r_{role}"], r, pair[f"i_{role}"]], axis=1)


def de_vaucouleurs(pair: Pairs, seed: int, indices: Int[Tensor, " batch"]) -> Light:
    """The lens galaxy as one component, n = 4 (Collett 2015)."""
    return _one(pair, "lens", 4.0)


def exponential(pair: Pairs, seed: int, indices: Int[Tensor, " batch"]) -> Light:
    """The source as one component, n = 1 (Collett 2015)."""
    return _one(pair, "source", 1.0)


def _one(pair: Pairs, role: str, index: float) -> Light:
    radius, q = np.exp(pair[f"ln_radius_{role}"]), pair[f"q_{role}"]
    return Light(magnitudes(pair, role)[:, None], radius[:, None], (index,), q[:, None])


def mixed(pair: Pairs, seed: int, indices: Int[Tensor, " batch"]) -> Light:
    """Bulge (n = 4) and disk (n = 1) of the lens galaxy.

    Half of the lenses are pure bulges, as in Collett 2015; the others take a bulge fraction
    uniform in [0.2, 1]. Disks are larger, flatter and bluer than their bulges.
    """
    u = uniform(seed, indices, STREAM_MIXED, 11)[:, 6:].numpy()
    bulge_fraction = np.where(u[:, 0] < 0.5, 1.0, 0.2 + 0.8 * u[:, 1])
    bluer = 0.1 + 0.3 * u[:, 2]
    i, g_r, r_i = pair["i_lens"], pair["g_minus_r_lens"], pair["r_minus_i_lens"]
    radius = np.exp(pair["ln_radius_lens"])
    has_disk = bulge_fraction < 1
    with np.errstate(divide="ignore"):
        bulge = _gri(i - 2.5 * np.log10(bulge_fraction), g_r, r_i)
        disk = _gri(i - 2.5 * np.log10(1 - bulge_fraction), g_r - bluer, r_i - bluer / 2)
    bulge_radius = np.where(has_disk, radius * (0.5 + 0.4 * u[:, 3]), radius)
    disk_q = np.clip(pair["q_lens"] * (0.8 + 0.2 * u[:, 4]), 0.15, 1.0)
    return Light(
        magnitude=np.stack([bulge, disk], 1),
        half_light_radius=np.stack([bulge_radius, radius * (1.1 + 0.7 * u[:, 3])], 1),
        index=(4.0, 1.0),
        q=np.stack([pair["q_lens"], disk_q], 1),
    )


def _gri(i: Array, g_minus_r: Array, r_minus_i: Array) -> Array:
    r = i + r_minus_i
    return np.stack([r + g_minus_r, r, i], axis=1)


def cosmodc2_lens(pair: Pairs, seed: int, indices: Int[Tensor, " batch"]) -> Light:
    """Bulge and disk as cosmoDC2's, sizes too; together as flat as the pair's lens.

    The axis ratio of the pair stays the light's because it is also the mass's.
    """
    u = uniform(seed, indices, STREAM_LENS, 5).numpy()
    return _cosmodc2(pair, "lens", u[:, :4], ndtri(u[:, 4]))


def cosmodc2_source(pair: Pairs, seed: int, indices: Int[Tensor, " batch"]) -> Light:
    """Bulge and disk as cosmoDC2's; the disk keeps the pair's radius, on which detection hung."""
    u = uniform(seed, indices, STREAM_SOURCE, 4).numpy()
    return _cosmodc2(pair, "source", u, None)


def _cosmodc2(pair: Pairs, role: str, u: Array, size_score: Array | None) -> Light:
    redshift, q = pair[f"z_{role}"], pair[f"q_{role}"]
    total = magnitudes(pair, role)
    absolute, colour = cosmodc2.rest_frame(total[:, 0], total[:, 2], redshift)
    share = cosmodc2.bulge_fraction(absolute, redshift, colour, u[:, :2])
    shares = cosmodc2.bulge_shares(share, cosmodc2.reddening(redshift, u[:, 2]))
    axis_ratios = cosmodc2.axis_ratios(share, absolute, q, u[:, 3])
    medians = _median_sizes(absolute, redshift)
    if size_score is None:
        along = np.exp(pair[f"ln_radius_{role}"]) / np.sqrt(axis_ratios[:, 1])
        size_score = np.log10(along / medians[:, 1]) / cosmodc2.DISK.scatter
    scatter = np.array([cosmodc2.BULGE.scatter, cosmodc2.DISK.scatter])
    major = medians * 10 ** (scatter * size_score[:, None])
    with np.errstate(divide="ignore"):
        dimming = -2.5 * np.log10(np.stack([shares, 1 - shares], axis=1))
    radius = major * np.sqrt(axis_ratios)
    return Light(total[:, None] + dimming, radius, (4.0, 1.0), axis_ratios)


def _median_sizes(absolute: Array, redshift: Array) -> Array:
    """(galaxy, 2): median semi-major axes of bulge and disk, arcsec."""
    parts = (cosmodc2.BULGE, cosmodc2.DISK)
    kpc = [cosmodc2.semi_major_axis_kpc(absolute, redshift, part) for part in parts]
    return np.stack(kpc, axis=1) / cosmodc2.kpc_per_arcsec(redshift)[:, None]


LENS: dict[str, Model] = {
    "mixed": mixed,
    "de_vaucouleurs": de_vaucouleurs,
    "cosmodc2": cosmodc2_lens,
}
SOURCE: dict[str, Model] = {"exponential": exponential, "cosmodc2": cosmodc2_source}


def light_model(models: dict[str, Model], key: str, name: str) -> Model:
    """The model called `name`; ValueError naming the recipe's `key` and the choices."""
    if name not in models:
        raise ValueError(f"{key}: no light {name!r}; choices: {', '.join(models)}")
    return models[name]
