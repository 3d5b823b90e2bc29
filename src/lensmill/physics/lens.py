"""Deflection by a singular isothermal ellipsoid (SIE).

Convergence κ = θ_E / (2 √(q x² + y²/q)) in the frame of the major axis (COOLEST, lenstronomy,
caustics): θ_E lies on the intermediate axis and the critical curve encloses π θ_E² for every q.
"""

import torch
from jaxtyping import Float
from torch import Tensor

CORE = 1e-8
"""Softening of the centre, arcsec: keeps gradients finite there, changes α by less than 1e-8″."""

_ROUND = 1e-4
"""Below this 1 − q², atan(f z)/f and atanh(f z)/f are corrected from this f² by two terms of their
series (error < 1e-12)."""


def rotate(
    x: Float[Tensor, "*#a"], y: Float[Tensor, "*#a"], phi: Float[Tensor, "*#a"]
) -> tuple[Tensor, Tensor]:
    """(x, y) in the frame whose +x axis points along `phi` (radian)."""
    cosine, sine = torch.cos(phi), torch.sin(phi)
    return cosine * x + sine * y, cosine * y - sine * x


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
    alpha = sie_deflection_aligned(*rotate(x, y, phi), theta_E, q)
    return rotate(*alpha, -phi)


def sie_deflection_aligned(
    u: Float[Tensor, "*#a"],
    v: Float[Tensor, "*#a"],
    theta_E: Float[Tensor, "*#a"],
    q: Float[Tensor, "*#a"],
) -> tuple[Tensor, Tensor]:
    """Deflection along and across the major axis, with u along it; arguments as `sie_deflection`.

    α_u = θ_E √q atan(f z)/f with z = u/ψ, ψ² = q² u² + v², f² = 1 − q²; α_v likewise with atanh.
    """
    q_squared = q**2
    inverse = torch.rsqrt(torch.addcmul(q_squared * CORE**2 + v * v, q_squared, u * u))
    f_squared = 1 - q_squared
    used = torch.clamp(f_squared, min=_ROUND)
    f, size = torch.sqrt(used), theta_E * torch.sqrt(q)
    first, second = size * (f_squared - used) / 3, size * (f_squared**2 - used**2) / 5
    z, w = u * inverse, v * inverse
    alpha_u = torch.atan(f * z) * (size / f) + _odd(z, -first, second)
    alpha_v = torch.atanh(f * w) * (size / f) + _odd(w, first, second)
    return alpha_u, alpha_v


def _odd(z: Tensor, cubic: Tensor, quintic: Tensor) -> Tensor:
    """cubic · z³ + quintic · z⁵."""
    squared = z * z
    return z * squared * torch.addcmul(cubic, quintic, squared)


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
