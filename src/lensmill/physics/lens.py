"""Deflection by a singular isothermal ellipsoid (SIE).

Convergence κ = θ_E / (2 √(q x² + y²/q)) in the frame of the major axis (COOLEST, lenstronomy,
caustics): θ_E lies on the intermediate axis and the critical curve encloses π θ_E² for every q.
"""

import torch
from jaxtyping import Float
from torch import Tensor

CORE = 1e-8
"""Softening of the centre, arcsec: keeps gradients finite there, changes α by less than 1e-8″."""

_SERIES = 1e-2
"""Below this |w|, atan(√w)/√w is summed as a series (error < 1e-15)."""


def rotate(
    x: Float[Tensor, "*#a"], y: Float[Tensor, "*#a"], phi: Float[Tensor, "*#a"]
) -> tuple[Tensor, Tensor]:
    """(x, y) in the frame whose +x axis points along `phi` (radian)."""
    cosine, sine = torch.cos(phi), torch.sin(phi)
    return cosine * x + sine * y, cosine * y - sine * x


def _series(w: Tensor) -> Tensor:
    """1 − w/3 + w²/5 − … : atan(√w)/√w near 0; atanh(√w)/√w is the same at −w."""
    total = torch.zeros_like(w)
    for order in range(8, -1, -1):
        total = total * -w + 1.0 / (2 * order + 1)
    return total


def _atan_ratio(w: Tensor) -> Tensor:
    """atan(√w)/√w, smooth at w = 0."""
    root = torch.sqrt(torch.where(w > _SERIES, w, 1.0))
    return torch.where(w > _SERIES, torch.atan(root) / root, _series(w))


def _atanh_ratio(w: Tensor) -> Tensor:
    """atanh(√w)/√w, smooth at w = 0."""
    root = torch.sqrt(torch.where(w > _SERIES, w, 0.25))
    return torch.where(w > _SERIES, torch.atanh(root) / root, _series(-w))


def sie_deflection(
    x: Float[Tensor, "*#a"],
    y: Float[Tensor, "*#a"],
    theta_E: Float[Tensor, "*#a"],
    q: Float[Tensor, "*#a"],
    phi: Float[Tensor, "*#a"],
) -> tuple[Tensor, Tensor]:
    """Deflection (α_x, α_y) in arcsec of an SIE at the origin.

    x, y, theta_E: arcsec. q: axis ratio b/a in (0, 1], regular at 1. phi: major axis, radian
    from +x. Kormann, Schneider & Bartelmann 1994, eq. 27a, with θ_E on the intermediate axis.
    """
    u, v = rotate(x, y, phi)
    psi = torch.sqrt(q**2 * (u**2 + CORE**2) + v**2)
    f_squared = 1 - q**2
    scale = theta_E * torch.sqrt(q) / psi
    alpha_u = scale * u * _atan_ratio(f_squared * (u / psi) ** 2)
    alpha_v = scale * v * _atanh_ratio(f_squared * (v / psi) ** 2)
    return rotate(alpha_u, alpha_v, -phi)


def sie_convergence(
    x: Float[Tensor, "*#a"],
    y: Float[Tensor, "*#a"],
    theta_E: Float[Tensor, "*#a"],
    q: Float[Tensor, "*#a"],
    phi: Float[Tensor, "*#a"],
) -> Tensor:
    """Convergence κ (dimensionless) of an SIE at the origin; arguments as `sie_deflection`."""
    u, v = rotate(x, y, phi)
    return 0.5 * theta_E / torch.sqrt(q * (u**2 + CORE**2) + v**2 / q)
