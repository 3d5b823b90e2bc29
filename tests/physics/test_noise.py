"""Noise: the moments of what `observe` draws."""

import numpy as np
import torch

from lensmill.physics.noise import observe, poisson_like, sky_sigma

SHAPE = (2, 3, 500, 640)


def standard_normals() -> torch.Tensor:
    """Standard normals of an image."""
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def test_observed_mean_variance_and_skewness_are_those_of_counts() -> None:
    """Mean μ, variance μ + σ², third moment μ + σ² (Poisson); the sky's level is subtracted."""
    mean = torch.tensor([[0.0, 10, 3000], [40, 200, 1]], dtype=torch.float64)
    sigma = torch.tensor([[5.0, 20, 60], [9, 150, 300]], dtype=torch.float64)
    level = mean[..., None, None].expand(SHAPE)
    image = observe(level, sigma, standard_normals())
    total = mean + sigma**2
    error = image.mean((-2, -1)) - mean
    variance = image.var((-2, -1))
    third = ((image - image.mean((-2, -1), keepdim=True)) ** 3).mean((-2, -1))
    pixels = SHAPE[2] * SHAPE[3]
    assert (error.abs() < 4 * (total / pixels).sqrt()).all()
    assert ((variance / total - 1).abs() < 4 * (2 / pixels) ** 0.5 + 1 / (18 * total)).all()
    skewness = third / variance**1.5
    assert ((skewness - total**-0.5).abs() < 4 * (6 / pixels) ** 0.5).all()


def test_poisson_like_moments_are_exact() -> None:
    """By Gauss–Hermite, exact to degree 7: mean λ, variance λ + 1/18, third moment λ + 1/27."""
    nodes, weights = (torch.from_numpy(each) for each in np.polynomial.hermite_e.hermegauss(4))
    weights = weights / weights.sum()
    for rate in (20.0, 300.0):
        counts = poisson_like(torch.full_like(nodes, rate), nodes)
        mean = (counts * weights).sum()
        second, third = (((counts - mean) ** power * weights).sum() for power in (2, 3))
        expected = torch.tensor([rate, rate + 1 / 18, rate + 1 / 27], dtype=torch.float64)
        torch.testing.assert_close(torch.stack([mean, second, third]), expected)


def test_negative_light_is_no_light() -> None:
    sigma = torch.full((2, 3), 10.0)
    dark, negative = torch.zeros(2, 3, 4, 5), torch.full((2, 3, 4, 5), -3.0)
    normal = torch.zeros_like(dark)
    assert torch.equal(observe(dark, sigma, normal), observe(negative, sigma, normal))


def test_sky_and_read_noise_add_in_quadrature() -> None:
    sigma = sky_sigma(torch.tensor([900.0]), torch.tensor([10.0]), torch.tensor([16.0]))
    torch.testing.assert_close(sigma, torch.tensor([50.0]))
