"""Sérsic light: brightness, the constant b_n, and the flux inside its cusp.

The half-light radius is the product average of the axes: the ellipse q x² + y²/q = R_e² holds
half of the flux (lenstronomy's convention; caustics' radius is R_e/√q).
"""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)


def sersic_b(index: Float[Tensor, "..."]) -> Tensor:
    """b_n such that R_e holds half of the light; better than 1e-5 for n ≥ 0.5.

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


def _norm(half_light_radius: Tensor, index: Tensor) -> Tensor:
    """Central brightness of unit flux, arcsec⁻²: b^(2n) / (2π n R_e² Γ(2n))."""
    log_gamma = torch.lgamma(2 * index)
    log_b = 2 * index * torch.log(sersic_b(index))
    return torch.exp(log_b - log_gamma) / (2 * math.pi * index * half_light_radius**2)


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
    return xx * x**2 + y * (xy * x + yy * y)


def sersic_brightness(
    radius_squared: Float[Tensor, "*#a"],
    half_light_radius: Float[Tensor, "*#a"],
    index: Float[Tensor, "*#a"],
) -> Tensor:
    """Brightness, arcsec⁻², of a Sérsic profile of unit total flux.

    radius_squared: elliptical radius squared, arcsec². half_light_radius: arcsec. Sérsic 1968.
    """
    slope = 1 / (2 * index)
    scaled = slope * torch.log(radius_squared + 1e-30) - 2 * slope * torch.log(half_light_radius)
    return torch.exp(torch.log(_norm(half_light_radius, index)) - sersic_b(index) * scaled.exp())


def sersic_core_excess(
    core_radius: Float[Tensor, "*#a"],
    half_light_radius: Float[Tensor, "*#a"],
    index: Float[Tensor, "*#a"],
) -> Tensor:
    """Flux lost where the brightness inside `core_radius` (arcsec) is held at its edge value.

    ∫₀^r_c (I(r) − I(r_c)) 2π r dr for unit total flux: what a grid too coarse for the cusp has to
    add back as a point. Gauss–Legendre in t = (r/R_e)^(1/n), where the integrand is smooth.
    """
    edge = (core_radius / half_light_radius) ** (1 / index)
    b, power = sersic_b(index)[..., None], (2 * index - 1)[..., None]
    t = edge[..., None] * edge.new_tensor(0.5 * (_NODES + 1))
    integrand = t**power * (torch.exp(-b * t) - torch.exp(-b * edge[..., None]))
    total = integrand @ edge.new_tensor(0.5 * _WEIGHTS)
    return (
        2 * math.pi * index * half_light_radius**2 * _norm(half_light_radius, index) * edge * total
    )
