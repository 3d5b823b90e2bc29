"""Sérsic light: the constant b_n, fluxes, soft cores and cusps, gradients."""

import math

import pytest
import torch
from scipy.integrate import quad
from scipy.special import gammainc
from torch import Tensor

from lensmill.physics.light import (
    cusp_rings,
    elliptical_radius_squared,
    sersic_b,
    sersic_brightness,
    soft_core,
)

INDICES = (0.5, 1.0, 2.3, 4.0, 8.0)


def double(*values: float) -> Tensor:
    """A float64 tensor."""
    return torch.tensor(values, dtype=torch.float64)


def brightness(r: float, half_light_radius: float, index: float) -> float:
    """One value of the profile."""
    return float(sersic_brightness(double(r**2), double(half_light_radius), double(index)))


def test_b_encloses_half_the_light() -> None:
    n = torch.linspace(0.5, 10, 200, dtype=torch.float64)
    inside = torch.from_numpy(gammainc(2 * n.numpy(), sersic_b(n).numpy()))
    error = (inside - 0.5).abs()
    assert error.max() < 1.3e-4
    assert error[n > 0.9].max() < 2e-5


@pytest.mark.parametrize("index", INDICES)
def test_total_flux_is_one_and_half_inside(index: float) -> None:
    """∫ I 2π r dr, in t = (r/R_e)^(1/n), where the integrand is smooth."""
    radius = 0.7

    def integrand(t: float) -> float:
        r = radius * t**index
        return brightness(r, radius, index) * 2 * math.pi * r * radius * index * t ** (index - 1)

    end = 60 / float(sersic_b(double(index)))
    assert quad(integrand, 0, end, limit=200)[0] == pytest.approx(1, abs=1e-6)
    assert quad(integrand, 0, 1)[0] == pytest.approx(0.5, abs=1.3e-4)


@pytest.mark.parametrize("q", [0.3, 0.8])
def test_half_light_ellipse_is_the_product_average(q: float) -> None:
    """Half of the flux on a fine grid lies where q u² + v²/q < R_e²."""
    axis = torch.arange(-900, 901, dtype=torch.float64) * 0.01
    squared = elliptical_radius_squared(axis, axis[:, None], double(q), double(0.6))
    light = sersic_brightness(squared, double(0.8), double(1.0)) * 0.01**2
    assert light.sum().item() == pytest.approx(1, abs=1e-3)
    assert light[squared < 0.8**2].sum().item() == pytest.approx(0.5, abs=1e-3)


def test_major_axis_points_along_phi() -> None:
    x, y = double(math.cos(0.4)), double(math.sin(0.4))
    along = elliptical_radius_squared(x, y, double(0.5), double(0.4))
    across = elliptical_radius_squared(-y, x, double(0.5), double(0.4))
    torch.testing.assert_close(torch.cat([along, across]), double(0.5, 2.0))


def test_soft_core_is_smooth_and_unchanged_outside() -> None:
    squared = torch.linspace(0, 4, 4001, dtype=torch.float64)
    soft = soft_core(squared, double(1.0))
    assert torch.equal(soft[squared >= 1], squared[squared >= 1])
    assert soft[0] == 0.5
    assert (soft.diff() >= 0).all()
    slope = soft.diff() / squared.diff()
    assert slope.diff().abs().max() < 2e-3  # continuous slope: no kink at the core


@pytest.mark.parametrize("index", [1.0, 4.0])
@pytest.mark.parametrize("radius", [0.01, 0.1, 0.6, 3.0])
def test_rings_hold_what_the_soft_core_lacks(index: float, radius: float) -> None:
    """From stars (0.01″) to large galaxies, to 1e-3 of the total flux."""
    core = 0.3

    def lacking(root: float) -> float:
        r = root**2
        soft = math.sqrt(float(soft_core(double(r**2), double(core**2))))
        missing = brightness(r, radius, index) - brightness(soft, radius, index)
        return missing * 2 * math.pi * r * 2 * root

    _, flux = cusp_rings(double(core), double(radius), double(index), 8)
    middle = math.sqrt(min(radius, core / 2))  # where a star has long faded
    pieces = ((0, middle), (middle, math.sqrt(core)))
    integral = sum(quad(lacking, *piece, epsabs=1e-8)[0] for piece in pieces)
    assert float(flux.sum()) == pytest.approx(integral, abs=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_are_finite_at_the_centre(dtype: torch.dtype) -> None:
    values = ((0.0, 1e-6, 0.3, 30.0), (0.5,) * 4, (4.0, 1.0, 0.6, 4.0))
    arguments = [torch.tensor(v, dtype=dtype).requires_grad_() for v in values]
    gradients = torch.autograd.grad(sersic_brightness(*arguments).sum(), arguments)
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


def test_gradients_are_right() -> None:
    generator = torch.Generator().manual_seed(0)
    values = 0.5 + torch.rand(3, 6, generator=generator, dtype=torch.float64)
    arguments = [row.clone().requires_grad_() for row in values]
    assert torch.autograd.gradcheck(sersic_brightness, arguments)
    assert torch.autograd.gradcheck(soft_core, arguments[:2])
    assert torch.autograd.gradcheck(lambda *a: cusp_rings(*a, 5)[1], arguments)
