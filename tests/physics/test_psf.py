"""Gaussian matrices: flux, width, position and edges."""

import math

import pytest
import torch
from torch import Tensor

from lensmill.physics.psf import FWHM_PER_SIGMA, gaussian_sample_matrix

FWHM = torch.tensor([[0.5, 0.9, 1.3], [0.6, 0.7, 0.8]], dtype=torch.float64)
SCALE = 0.2
SIZES = (33, 40)


def axis(count: int, step: float) -> Tensor:
    """Centres of `count` cells about 0."""
    return (torch.arange(count, dtype=torch.float64) - (count - 1) / 2) * step


def gaussian(position: Tensor, sigma: Tensor) -> Tensor:
    """A unit Gaussian."""
    return torch.exp(-0.5 * (position / sigma) ** 2) / (math.sqrt(2 * math.pi) * sigma)


def gaussian_point(fwhm: Tensor, position: Tensor, pixels: int, pixel_scale: float) -> Tensor:
    """Flux per pixel, along one axis, of a unit point at `position` (arcsec from the centre)."""
    edges = (torch.arange(pixels + 1) - pixels / 2).to(fwhm) * pixel_scale
    scale = FWHM_PER_SIGMA / math.sqrt(2) / fwhm
    return 0.5 * torch.erf((edges - position[..., None]) * scale[..., None]).diff(dim=-1)


@pytest.mark.parametrize("pixels", SIZES)
@pytest.mark.parametrize("supersampling", [1, 2, 3])
def test_uniform_light_stays_uniform(pixels: int, supersampling: int) -> None:
    total = gaussian_sample_matrix(FWHM, pixels, SCALE, supersampling, 2).sum(-1)
    torch.testing.assert_close(total, torch.full((2, 3, pixels), SCALE, dtype=torch.float64))


@pytest.mark.parametrize("pixels", SIZES)
def test_matrices_conserve_flux_away_from_the_edge(pixels: int) -> None:
    cell = SCALE / 2
    sample = gaussian_sample_matrix(FWHM, pixels, SCALE, 2, 3).sum(-2)[..., 36:-36]
    torch.testing.assert_close(sample, torch.full_like(sample, cell), rtol=1e-5, atol=0)


@pytest.mark.parametrize("pixels", SIZES)
@pytest.mark.parametrize("supersampling", [1, 2, 3])
def test_point_spread_functions_add_in_quadrature(pixels: int, supersampling: int) -> None:
    """A Gaussian of 0.6″ through a PSF of f is one of √(0.6² + f²), even with one cell a pixel."""
    cells = (pixels + 4) * supersampling
    matrix = gaussian_sample_matrix(FWHM, pixels, SCALE, supersampling, 2)
    place = torch.tensor(0.07, dtype=torch.float64)
    light = gaussian(axis(cells, SCALE / supersampling) - place, torch.tensor(0.6) / FWHM_PER_SIGMA)
    expected = gaussian_point(torch.hypot(FWHM, torch.tensor(0.6)), place, pixels, SCALE)
    torch.testing.assert_close(matrix @ light, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("pixels", [65, 80])
@pytest.mark.parametrize("place", [0.0, 0.13, -1.71])
def test_a_point_lies_where_it_is_put(pixels: int, place: float) -> None:
    position = torch.full_like(FWHM, place)
    image = gaussian_point(FWHM, position, pixels, SCALE)
    torch.testing.assert_close(image.sum(-1), torch.ones_like(FWHM), rtol=1e-9, atol=0)
    torch.testing.assert_close(image @ axis(pixels, SCALE), position, rtol=0, atol=1e-9)
    spread = image @ axis(pixels, SCALE) ** 2 - position**2
    torch.testing.assert_close(
        spread, (FWHM / FWHM_PER_SIGMA) ** 2 + SCALE**2 / 12, rtol=1e-6, atol=0
    )
