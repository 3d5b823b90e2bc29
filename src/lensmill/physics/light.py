"""Sérsic light: brightness, the constant b_n, and the flux inside its cusp.

The half-light radius is the product average of the axes: the ellipse q x² + y²/q = R_e² holds
half of the flux (lenstronomy's convention; caustics' radius is R_e/√q).
"""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def sersic_b(index: Float[Tensor, "..."]) -> Tensor:
    """b_n such that R_e holds half of the light, to 1.3e-4 at n = 0.5, 2e-5 from 0.9.

    Ciotti & Bertin 1999, eq. 18.
    """
    n = index
    return (
        2 * n
        - 1 / 3
        + 4 / (405 * n)
        + 46 / (25515 * n**2)
        + 131 / (1148175 * n**3)
        - 2194697 / (30690717750 * n**4)
    )


def _log_norm(half_light_radius: Tensor, index: Tensor) -> Tensor:
    """Logarithm of the central brightness of unit flux, arcsec⁻²: b^(2n) / (2π n R_e² Γ(2n))."""
    area = 2 * math.pi * index * half_light_radius**2
    return 2 * index * torch.log(sersic_b(index)) - torch.lgamma(2 * index) - torch.log(area)


def elliptical_radius_squared(
    x: Float[Tensor, "*#a"],
    y: Float[Tensor, "*#a"],
    q: Float[Tensor, "*#a"],
    phi: Float[Tensor, "*#a"],
) -> Tensor:
    """q u² + v²/q in arcsec², with u along the major axis `phi` (radian from +x)."""
    cosine, sine = torch.cos(phi), torch.sin(phi)
    xx = q * cosine**2 + sine**2 / q
    yy = q * sine**2 + cosine**2 / q
    xy = 2 * (q - 1 / q) * sine * cosine
    return torch.addcmul(xx * x * x, y, torch.addcmul(xy * x, yy, y))


def sersic_brightness(
    radius_squared: Float[Tensor, "*#a"],
    half_light_radius: Float[Tensor, "*#a"],
    index: Float[Tensor, "*#a"],
) -> Tensor:
    """Brightness, arcsec⁻², of a Sérsic profile of unit total flux.

    radius_squared: elliptical radius squared, arcsec². half_light_radius: arcsec. Sérsic 1968.
    """
    slope, start = 1 / (2 * index), -torch.log(half_light_radius) / index
    scaled = torch.exp(torch.addcmul(start, slope, torch.log(radius_squared + 1e-30)))
    return torch.exp(torch.addcmul(_log_norm(half_light_radius, index), -sersic_b(index), scaled))


def soft_core(radius_squared: Float[Tensor, "*#a"], core_squared: Float[Tensor, "*#a"]) -> Tensor:
    """`radius_squared`, kept from falling below half of `core_squared`: smooth, and unchanged
    beyond the core.

    r² + ½ (c² − r²)²/c² inside c: brightness of it has no cusp, so a coarse grid can sample it.
    """
    depth = torch.clamp(core_squared - radius_squared, min=0)
    return torch.addcmul(radius_squared, depth, depth * (0.5 / core_squared))


def cusp_rings(
    core: Float[Tensor, "*#a"],
    half_light_radius: Float[Tensor, "*#a"],
    index: Float[Tensor, "*#a"],
    rings: int,
) -> tuple[Float[Tensor, "*a ring"], Float[Tensor, "*a ring"]]:
    """(radius in arcsec, flux) of rings that hold what a soft core lacks of a unit total flux.

    ∫ (I(r) − I(soft r)) 2π r dr by Gauss–Legendre in a root of r that grows with the index (√r for
    a disk, ⁴√r for a bulge), out to the core or to where the profile has faded by e⁻²⁵.
    """
    core, radius, index = (each[..., None] for each in (core, half_light_radius, index))
    end = torch.minimum(core, radius * (25 / sersic_b(index)) ** index)
    nodes, weights = np.polynomial.legendre.leggauss(rings)
    root, power = core.new_tensor(0.5 * (nodes + 1)), (2 + index) / 1.5
    r = end * root**power
    soft = soft_core(r**2, core**2)
    lacking = sersic_brightness(r**2, radius, index) - sersic_brightness(soft, radius, index)
    slope = power * r / root
    return r, lacking * 2 * math.pi * r * slope * core.new_tensor(0.5 * weights)
