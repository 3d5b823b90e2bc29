"""The SIE obeys the laws of lensing, and is regular where its formula is not."""

import math

import pytest
import torch
from torch import Tensor

from lensmill.physics.lens import rotate, sie_convergence, sie_deflection

AXIS_RATIOS = (0.2, 0.5, 0.8, 0.9999, 0.99996, 1.0)
"""0.9999 and 0.99996 lie on either side of the switch to the series."""


@pytest.fixture
def lens() -> tuple[Tensor, Tensor, Tensor]:
    """θ_E, q and φ of lenses, (lens, 1)."""
    q = torch.tensor(AXIS_RATIOS, dtype=torch.float64)
    theta_E = torch.linspace(0.4, 2.1, len(q), dtype=torch.float64)
    phi = torch.linspace(0.1, 3.0, len(q), dtype=torch.float64)
    return theta_E[:, None], q[:, None], phi[:, None]


def points(count: int = 40) -> tuple[Tensor, Tensor]:
    """Points away from the centre, (1, point)."""
    generator = torch.Generator().manual_seed(3)
    x, y = 6 * torch.rand(2, 1, count, generator=generator, dtype=torch.float64) - 3
    return x + 0.05 * torch.sign(x), y


def jacobian(x: Tensor, y: Tensor, lens: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, ...]:
    """∂α_x/∂x, ∂α_x/∂y, ∂α_y/∂x, ∂α_y/∂y by automatic differentiation."""
    shape = (len(lens[0]), x.shape[1])
    x, y = (p.expand(shape).clone().requires_grad_() for p in (x, y))
    alpha = sie_deflection(x, y, *lens)
    return tuple(
        gradient
        for component in alpha
        for gradient in torch.autograd.grad(component.sum(), (x, y), retain_graph=True)
    )


def test_deflection_is_curl_free(lens: tuple[Tensor, Tensor, Tensor]) -> None:
    _, xy, yx, _ = jacobian(*points(), lens)
    torch.testing.assert_close(xy, yx, rtol=0, atol=1e-11)


def test_divergence_is_twice_the_convergence(lens: tuple[Tensor, Tensor, Tensor]) -> None:
    x, y = points()
    xx, _, _, yy = jacobian(x, y, lens)
    torch.testing.assert_close(xx + yy, 2 * sie_convergence(x, y, *lens), rtol=1e-10, atol=1e-11)


def test_divergence_by_finite_differences(lens: tuple[Tensor, Tensor, Tensor]) -> None:
    (x, y), step = points(), 1e-5
    right, left = (sie_deflection(x + s * step, y, *lens)[0] for s in (1, -1))
    above, below = (sie_deflection(x, y + s * step, *lens)[1] for s in (1, -1))
    divergence = (right - left + above - below) / (2 * step)
    torch.testing.assert_close(divergence, 2 * sie_convergence(x, y, *lens), rtol=1e-6, atol=1e-7)


def test_critical_curve_encloses_the_circle_of_theta_E(
    lens: tuple[Tensor, Tensor, Tensor],
) -> None:
    """det(1 − ∂α) = 1 − 2κ for an isothermal lens; the zero is found, not assumed."""
    angle = 2 * math.pi * torch.arange(720, dtype=torch.float64)[None, :] / 720
    low, high = torch.full_like(angle + lens[0], 0.05), torch.full_like(angle + lens[0], 12.0)
    for _ in range(50):
        middle = 0.5 * (low + high)
        xx, xy, yx, yy = jacobian_along(middle, angle, lens)
        inside = (1 - xx) * (1 - yy) - xy * yx < 0
        low, high = torch.where(inside, middle, low), torch.where(inside, high, middle)
    area = 0.5 * (low**2).mean(1, keepdim=True) * 2 * math.pi
    torch.testing.assert_close(area, math.pi * lens[0] ** 2, rtol=1e-9, atol=0)


def jacobian_along(
    radius: Tensor, angle: Tensor, lens: tuple[Tensor, Tensor, Tensor]
) -> tuple[Tensor, ...]:
    """The Jacobian at polar positions of each lens."""
    return jacobian(radius * torch.cos(angle), radius * torch.sin(angle), lens)


def test_round_lens_deflects_by_theta_E() -> None:
    x, y = points()
    alpha = sie_deflection(x, y, *(torch.tensor([[v]]).double() for v in (1.3, 1.0, 0.4)))
    torch.testing.assert_close(torch.hypot(*alpha), torch.full_like(x, 1.3), rtol=1e-6, atol=0)
    torch.testing.assert_close(alpha[0] * y, alpha[1] * x, rtol=1e-12, atol=1e-12)


def test_series_joins_the_closed_form() -> None:
    """α and ∂α/∂q are continuous in q through the switch at 1 − q² = 1e-4."""
    x, y = points()
    edge = math.sqrt(1 - 1e-4)
    q = torch.tensor([[edge - 1e-9], [edge + 1e-9]], dtype=torch.float64, requires_grad=True)
    one = torch.ones_like(q)
    alpha = sie_deflection(x, y, one, q, 0.3 * one)
    below, above = torch.stack(alpha, 1)
    torch.testing.assert_close(below, above, rtol=0, atol=1e-8)
    slope = torch.autograd.grad(torch.stack(alpha).sum(), q)[0]
    torch.testing.assert_close(slope[0], slope[1], rtol=1e-6, atol=0)


SPECIAL = ((0.0, 0.0), (0.7, 0.0), (0.0, -0.7), (1e-9, 1e-9), (3.0, 2.0))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("q", [0.2, 0.5, 0.9999, 1.0])
@pytest.mark.parametrize("phi", [0.0, 0.7])
def test_gradients_are_finite_everywhere(q: float, phi: float, dtype: torch.dtype) -> None:
    """In every argument, at the centre, on the axes and off them."""
    x, y = torch.tensor(SPECIAL, dtype=dtype).T
    rest = (torch.full_like(x, value) for value in (1.1, q, phi))
    arguments = [each.clone().requires_grad_() for each in (x, y, *rest)]
    alpha = sie_deflection(*arguments)
    assert all(torch.isfinite(each).all() for each in alpha)
    for component in alpha:
        gradients = torch.autograd.grad(component.sum(), arguments, retain_graph=True)
        assert all(torch.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("q", [0.2, 0.9999, 0.99996, 1.0 - 1e-7])
def test_gradient_in_q_is_right(q: float) -> None:
    """Against a central difference, on both sides of the switch and next to q = 1."""
    (x, y), step = points(), 1e-8
    one = torch.ones(1, 1, dtype=torch.float64)
    value = (q * one).requires_grad_()
    alpha = sie_deflection(x, y, one, value, 0.4 * one)
    slope = torch.autograd.grad(alpha[0].sum() + 2 * alpha[1].sum(), value)[0]
    above, below = (sie_deflection(x, y, one, (q + s * step) * one, 0.4 * one) for s in (1, -1))
    expected = ((above[0] - below[0]).sum() + 2 * (above[1] - below[1]).sum()) / (2 * step)
    torch.testing.assert_close(slope.squeeze(), expected, rtol=1e-4, atol=1e-5)


def test_rotate_there_and_back() -> None:
    x, y = points()
    phi = torch.tensor([[0.3], [2.9]], dtype=torch.float64)
    u, v = rotate(x, y, phi)
    back = rotate(u, v, -phi)
    torch.testing.assert_close(back[0], x.expand_as(back[0]))
    torch.testing.assert_close(back[1], y.expand_as(back[1]))
