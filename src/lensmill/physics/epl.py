"""Elliptical power law and external shear.

The power law's convergence is (3 − γ)/2 (b/R)^(γ − 1) with R² = q² u² + v²; γ = 2 is the SIE.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from lensmill.physics.lens import CORE, rotate

ACCURACY = 1e-9
"""Of the angular series, relative."""


def epl_deflection(
    x: Float[Tensor, "*#a"],
    y: Float[Tensor, "*#a"],
    theta_E: Float[Tensor, "*#a"],
    q: Float[Tensor, "*#a"],
    phi: Float[Tensor, "*#a"],
    slope: Float[Tensor, "*#a"],
) -> tuple[Tensor, Tensor]:
    """Deflection (α_x, α_y) in arcsec of an elliptical power law centred at the origin.

    x, y, theta_E: arcsec, θ_E on the intermediate axis. q: axis ratio in (0, 1]. phi: major axis,
    radian from +x. slope: γ of the density, 1 < γ < 3. Tessore & Metcalf 2015, eq. 13 and 29.
    """
    u, v = rotate(x, y, phi)
    radius = torch.sqrt(q**2 * (u**2 + CORE**2) + v**2)
    cosine, sine = q * u / radius, v / radius
    scale = theta_E * torch.sqrt(q)
    # Not as (scale / radius) ** (slope − 2): a lens without mass deflects nothing at any slope.
    size = 2 / (1 + q) * scale ** (slope - 1) * radius ** (2 - slope)
    along, across = _angular(cosine, sine, (1 - q) / (1 + q), slope)
    return rotate(size * along, size * across, -phi)


def _angular(
    cosine: Tensor, sine: Tensor, flattening: Tensor, slope: Tensor
) -> tuple[Tensor, Tensor]:
    """Real and imaginary part of Σ c_n exp(i (2n + 1) φ), in as many terms as the flattest lens
    needs; from the last to the first (Clenshaw), both parts of one real recurrence."""
    coefficients = [torch.ones_like(flattening * slope)]
    for n in range(1, _terms(flattening)):
        factor = -flattening * (2 * n - 3 + slope) / (2 * n + 3 - slope)
        coefficients.append(coefficients[-1] * factor)
    twice = 2 * (cosine**2 - sine**2)
    here = after = torch.zeros_like(twice)
    for coefficient in reversed(coefficients):
        here, after = torch.addcmul(coefficient - after, twice, here), here
    return cosine * (here - after), sine * (here + after)


def _terms(flattening: Tensor) -> int:
    largest = float(flattening.detach().max())
    return 2 if largest < ACCURACY else 2 + math.ceil(math.log(ACCURACY) / math.log(largest))


def shear_deflection(
    x: Float[Tensor, "*#a"],
    y: Float[Tensor, "*#a"],
    gamma1: Float[Tensor, "*#a"],
    gamma2: Float[Tensor, "*#a"],
) -> tuple[Tensor, Tensor]:
    """Deflection (α_x, α_y) in arcsec of a uniform shear about the origin: γ1 = γ cos 2φ_γ."""
    return gamma1 * x + gamma2 * y, gamma2 * x - gamma1 * y
