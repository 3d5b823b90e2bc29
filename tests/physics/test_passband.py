"""The pass band keeps what a PSF transmits and drops the rest."""

import math

import pytest
import torch

from lensmill.physics.passband import FAINTEST, matched, pass_band
from lensmill.physics.psf import FWHM_PER_SIGMA, gaussian_sample_matrix

SHAPE = (63, 48)
FWHM = torch.tensor([[7.7, 4.0], [5.5, 9.0]])


def _blurred(generator):
    """White light, less than half of the stamp wide, through Gaussians: (batch, band, y, x)."""
    matrices = [gaussian_sample_matrix(FWHM.double(), side, 1.0, 1, margin=40) for side in SHAPE]
    light = torch.zeros(2, 2, *(side + 80 for side in SHAPE), dtype=torch.float64)
    light[..., 60:80, 55:75] = torch.rand(20, 20, generator=generator, dtype=torch.float64)
    return matrices[0] @ light @ matrices[1].mT


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(5)


def test_light_that_came_through_the_psf_stays(generator):
    image = _blurred(generator)
    error = pass_band(image, FWHM.double()) - image
    assert (error.abs().amax((-2, -1)) < 4 * FAINTEST * image.amax((-2, -1))).all()


def test_of_white_noise_the_band_alone_stays(generator):
    """Its share is the area of the pass band, where T > FAINTEST, in the Nyquist square."""
    noise = torch.randn(2, 2, 400, 300, generator=generator)
    kept = pass_band(noise, FWHM).square().mean((-2, -1))
    squared = math.log(1 / FAINTEST) / (2 * math.pi**2 * (FWHM / FWHM_PER_SIGMA) ** 2)
    torch.testing.assert_close(kept, math.pi * squared, rtol=0.08, atol=0)


def test_a_sharp_psf_leaves_the_image_alone(generator):
    noise = torch.randn(2, 2, *SHAPE, generator=generator)
    torch.testing.assert_close(pass_band(noise, torch.full((2, 2), 0.5)), noise, rtol=0, atol=1e-4)


def test_it_is_linear_and_keeps_the_mean_of_a_constant():
    flat = torch.full((1, 1, 21, 34), 3.0)
    torch.testing.assert_close(pass_band(flat, torch.tensor([[6.0]])), flat)


def test_turning_commutes(generator):
    noise = torch.randn(2, 2, *SHAPE, generator=generator)
    turned = pass_band(noise.flip(-1, -2), FWHM)
    torch.testing.assert_close(turned.flip(-1, -2), pass_band(noise, FWHM), rtol=0, atol=1e-5)


def test_matched_bands_have_the_widest_psf():
    """Gaussians of unit flux become one Gaussian."""
    y, x = torch.meshgrid(torch.arange(61.0) - 30, torch.arange(48.0) - 23, indexing="ij")
    squared = 2 * (FWHM.double() / FWHM_PER_SIGMA)[..., None, None] ** 2
    image = torch.exp(-(y**2 + x**2) / squared) / (math.pi * squared)
    found = matched(image, FWHM.double())
    widest = image.gather(1, FWHM.argmax(1)[:, None, None, None].expand(-1, 1, 61, 48))
    torch.testing.assert_close(found, widest.expand_as(found), rtol=0, atol=1e-6)
