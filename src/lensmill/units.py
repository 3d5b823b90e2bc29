"""The house's units and the conversions at its border.

Inside: arcsec, radian, e⁻ or the image's own unit, second, km/s; major axes from +x towards +y
in [0, π). Outside (files, recipes, pages): COOLEST, degrees from +y in (−90, 90].
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def flux_from_magnitude(magnitude: Float[Tensor, "..."], zero_point: float | Tensor) -> Tensor:
    """Flux in the unit in which `zero_point` is the magnitude of 1: 10^(−0.4 (m − ZP))."""
    return 10.0 ** (-0.4 * (magnitude - zero_point))


def ellipticity_from_axis_ratio(
    q: Float[Tensor, "..."], phi: Float[Tensor, "..."]
) -> tuple[Tensor, Tensor]:
    """(e1, e2) = (1−q)/(1+q) (cos 2φ, sin 2φ); `phi` in radian from +x (lenstronomy's)."""
    size = (1 - q) / (1 + q)
    return size * torch.cos(2 * phi), size * torch.sin(2 * phi)


def axis_ratio_from_ellipticity(
    e1: Float[Tensor, "..."], e2: Float[Tensor, "..."]
) -> tuple[Tensor, Tensor]:
    """(q, φ) of (e1, e2); φ in radian in [0, π), 0 where e = 0 and the angle has no meaning."""
    size = torch.hypot(e1, e2)
    phi = torch.remainder(0.5 * torch.atan2(e2, e1), math.pi)
    return (1 - size) / (1 + size), torch.where(phi < math.pi, phi, 0.0)  # −1e-9 rounds to π


def position_angle_deg(phi: Float[Tensor, "..."]) -> Tensor:
    """COOLEST's angle (degrees from +y towards −x, in (−90, 90]) of `phi` (radian from +x)."""
    angle = torch.remainder(torch.rad2deg(phi) - 90.0, 180.0)
    return torch.where(angle > 90.0, angle - 180.0, angle)
