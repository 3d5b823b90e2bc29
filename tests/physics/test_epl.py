"""The elliptical power law: the SIE at γ = 2, the laws of lensing, lenstronomy's numbers."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from lensmill.physics.epl import epl_deflection, shear_deflection
from lensmill.physics.lens import sie_deflection

SLOPES = (1.6, 1.9, 2.0, 2.1, 2.4)
AXIS_RATIOS = (0.2, 0.5, 0.9999, 1.0)


def double(*values: float) -> Tensor:
    """A float64 column."""
    return torch.tensor(values, dtype=torch.float64)[:, None]


def points(count: int = 50) -> tuple[Tensor, Tensor]:
    """Points up to 3″ away, (1, point)."""
    generator = torch.Generator().manual_seed(5)
    x, y = 6 * torch.rand(2, 1, count, generator=generator, dtype=torch.float64) - 3
    return x, y


def convergence(x: Tensor, y: Tensor, lens: tuple[Tensor, ...], slope: Tensor) -> Tensor:
    """(3 − γ)/2 (b/R)^(γ − 1), b = θ_E √q."""
    theta_E, q, phi = lens
    u, v = torch.cos(phi) * x + torch.sin(phi) * y, torch.cos(phi) * y - torch.sin(phi) * x
    radius = torch.sqrt(q**2 * u**2 + v**2)
    return (3 - slope) / 2 * (theta_E * q.sqrt() / radius) ** (slope - 1)


@pytest.fixture
def lens() -> tuple[Tensor, Tensor, Tensor]:
    """θ_E, q, φ of four lenses."""
    return double(0.5, 1.0, 1.5, 2.0), double(*AXIS_RATIOS), double(0.1, 0.9, 1.7, 2.9)


def test_isothermal_is_the_sie(lens: tuple[Tensor, Tensor, Tensor]) -> None:
    x, y = points()
    ours = epl_deflection(x, y, *lens, torch.full_like(lens[0], 2.0))
    for component, expected in zip(ours, sie_deflection(x, y, *lens), strict=True):
        torch.testing.assert_close(component, expected, rtol=0, atol=2e-8)


@pytest.mark.parametrize("slope", SLOPES)
def test_laws_of_lensing(lens: tuple[Tensor, Tensor, Tensor], slope: float) -> None:
    """No curl; the divergence is twice the convergence."""
    x, y = (p.expand(4, -1).clone().requires_grad_() for p in points())
    gamma = torch.full_like(lens[0], slope)
    alpha = epl_deflection(x, y, *lens, gamma)
    (xx, xy), (yx, yy) = (
        torch.autograd.grad(part.sum(), (x, y), retain_graph=True) for part in alpha
    )
    torch.testing.assert_close(xy, yx, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(xx + yy, 2 * convergence(x, y, lens, gamma), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("slope", SLOPES)
def test_circular_lens_deflects_by_its_mass(slope: float) -> None:
    """α = θ_E (θ_E/r)^(γ − 2) away from the centre."""
    x, y = points()
    one, gamma = double(1.0), double(slope)
    alpha = epl_deflection(x, y, 1.3 * one, one, 0 * one, gamma)
    radius = torch.hypot(x, y)
    torch.testing.assert_close(torch.hypot(*alpha), 1.3 * (1.3 / radius) ** (slope - 2))


def test_gradients_are_finite_everywhere(lens: tuple[Tensor, Tensor, Tensor]) -> None:
    position = torch.tensor([0.0, 1e-9, 0.4, 30.0], dtype=torch.float64)
    x, y = (each.flatten()[None] for each in torch.meshgrid(position, position, indexing="ij"))
    leaves = [each.clone().requires_grad_() for each in (x, y, *lens, double(1.7, 2.0, 2.2, 2.0))]
    alpha = epl_deflection(*leaves)
    gradients = torch.autograd.grad(alpha[0].sum() + 2 * alpha[1].sum(), leaves)
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_shear_stretches_along_its_axis() -> None:
    """Along φ_γ the image plane is pulled outwards: the source moves inwards by γ r."""
    angle, gamma = 0.7, 0.05
    x, y = double(2 * math.cos(angle)), double(2 * math.sin(angle))
    one = double(1.0)
    alpha = shear_deflection(
        x, y, gamma * math.cos(2 * angle) * one, gamma * math.sin(2 * angle) * one
    )
    torch.testing.assert_close(torch.cat(alpha), gamma * torch.cat([x, y]))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_lenstronomy_agrees() -> None:
    """EPL + shear, to 1e-6″."""
    lens_model = pytest.importorskip("lenstronomy.LensModel.lens_model")
    model = lens_model.LensModel(["EPL", "SHEAR"])
    generator = np.random.default_rng(3)
    for _ in range(200):
        theta_E, q, phi, slope = generator.uniform([0.3, 0.3, 0, 1.6], [2.5, 1, np.pi, 2.4])
        gamma1, gamma2 = generator.uniform(-0.1, 0.1, 2)
        e = (1 - q) / (1 + q)
        epl = {"theta_E": theta_E, "gamma": slope, "e1": e * np.cos(2 * phi)}
        epl |= {"e2": e * np.sin(2 * phi), "center_x": 0.0, "center_y": 0.0}
        x, y = generator.uniform(-4, 4, (2, 20))
        theirs = model.alpha(x, y, [epl, {"gamma1": gamma1, "gamma2": gamma2}])
        column = [double(value) for value in (theta_E, q, phi, slope)]
        px, py = (torch.from_numpy(each)[None] for each in (x, y))
        ours = epl_deflection(px, py, *column)
        sheared = shear_deflection(px, py, double(gamma1), double(gamma2))
        for a, b, c in zip(ours, sheared, theirs, strict=True):
            np.testing.assert_allclose((a + b)[0].numpy(), c, rtol=0, atol=1e-6)
