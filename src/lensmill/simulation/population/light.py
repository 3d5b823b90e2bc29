"""Light: how the light of a lens or source galaxy divides into Sérsic components.

A light model is a function (pair, seed, indices) -> Light, row by row a function of the pair and of
(seed, index) alone. The pair's total i magnitude is kept; of the colours each model says its own.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor

from lensmill.simulation.counter import uniform
from lensmill.simulation.scene import Sersic, as_tensor

STREAM_MIXED = 5
"""Assembly's, whose numbers 6 to 10 are kept for this."""
Array = NDArray[np.float64]
Pairs = dict[str, Array]
"""z_lens, z_source, ln_theta_E (arcsec), q_lens, ln_radius_lens (arcsec), i_lens,
g_minus_r_lens, r_minus_i_lens, beta_over_theta_E, q_source, ln_radius_source (arcsec), i_source,
g_minus_r_source, r_minus_i_source; and, in radian from the lens' major axis, beta_angle (where
the source lies) and phi_source (its major axis). All (scene,)."""


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
    return gri(pair[f"i_{role}"], pair[f"g_minus_r_{role}"], pair[f"r_minus_i_{role}"])


def as_drawn(pair: Pairs, role: str) -> Pairs:
    """`pair` before its source was brightened or put out: what kind of galaxy it is hangs on it.

    Else structure would tell the non-lenses that are brightened from lenses.
    """
    return {**pair, f"i_{role}": pair.get(f"drawn_i_{role}", pair[f"i_{role}"])}


def gri(i: Array, g_minus_r: Array, r_minus_i: Array) -> Array:
    """(…, band): g, r, i magnitudes."""
    r = i + r_minus_i
    return np.stack([r + g_minus_r, r, i], axis=-1)


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
    """Bulge (n = 4), with the colours of the pair, and disk (n = 1) of the lens galaxy.

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
        bulge = gri(i - 2.5 * np.log10(bulge_fraction), g_r, r_i)
        disk = gri(i - 2.5 * np.log10(1 - bulge_fraction), g_r - bluer, r_i - bluer / 2)
    bulge_radius = np.where(has_disk, radius * (0.5 + 0.4 * u[:, 3]), radius)
    disk_q = np.clip(pair["q_lens"] * (0.8 + 0.2 * u[:, 4]), 0.15, 1.0)
    return Light(
        magnitude=np.stack([bulge, disk], 1),
        half_light_radius=np.stack([bulge_radius, radius * (1.1 + 0.7 * u[:, 3])], 1),
        index=(4.0, 1.0),
        q=np.stack([pair["q_lens"], disk_q], 1),
    )
