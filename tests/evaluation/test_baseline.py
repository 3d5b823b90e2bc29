"""The classical baseline: exact where its model is true, useful on lenses, safe on rubbish."""

import math

import pytest
import torch

from lensmill.evaluation.baseline import fit_galaxy, subtract
from lensmill.evaluation.metrics import correlation, error_rms
from lensmill.grid import Grid
from lensmill.physics.noise import observe
from lensmill.physics.surveys import preset
from lensmill.simulation.observing import Observing
from lensmill.simulation.rendering import Sampling, render
from lensmill.simulation.scene import Conditions, Mass, Scene, Sersic

GRID = Grid((52, 61), 0.21)
SIGMA, FWHM = torch.tensor([80.0, 170.0, 230.0]), torch.tensor([0.87, 0.8, 0.75])


def galaxy(magnitude, radius, index, q, phi, x=0.0, y=0.0):
    values = (radius, index, q, phi, x, y)
    return Sersic(torch.tensor([[magnitude]]), *(torch.tensor([[value]]) for value in values))


def observed(foreground, source, theta_E):
    """(noisy, clean, source) of a scene in e⁻, at LSST's ten-year depth."""
    zero_point = torch.tensor([[band.total_zero_point() for band in bands()]])
    mass = Mass(*(torch.tensor([value]) for value in (theta_E, 0.8, 0.4, 0.05, -0.03)))
    scene = Scene(torch.tensor([theta_E > 0]), mass, foreground, source, *torch.ones(2, 1))
    conditions = Conditions(FWHM[None], zero_point, SIGMA[None])
    clean, lensed = render(scene, conditions, GRID, Sampling(supersampling=4))
    normal = torch.randn(clean.shape, generator=torch.Generator().manual_seed(8))
    return observe(clean, SIGMA[None], normal), clean, lensed


def bands():
    return Observing(preset("lsst_10year")).survey.bands.values()


NO_SOURCE = galaxy([math.inf] * 3, 0.3, 1.0, 0.8, 0.0)
LENS = ([22.0, 20.6, 20.0], 0.9, 3.0, 0.7, 0.6, 0.05, -0.03)


def test_a_lone_galaxy_is_subtracted_to_the_noise():
    noisy, clean, _ = observed(galaxy(*LENS), NO_SOURCE, 0.0)
    fit = fit_galaxy(noisy[0], SIGMA, FWHM, GRID.pixel_scale)
    assert fit.fitted
    assert error_rms(fit.image[None], clean, SIGMA[None]) < 0.15
    assert (fit.x, fit.y) == pytest.approx((0.05, -0.03), abs=0.01)
    assert fit.half_light_radius == pytest.approx(0.9, rel=0.05)
    assert fit.index == pytest.approx(3.0, rel=0.05)
    assert fit.q == pytest.approx(0.7, abs=0.01)
    assert fit.phi == pytest.approx(0.6, abs=0.02)


def test_on_a_lens_the_arcs_remain():
    source = galaxy([24.6, 24.4, 24.3], 0.2, 1.0, 0.7, 1.0, 0.25, 0.1)
    noisy, _, lensed = observed(galaxy(*LENS), source, 1.4)
    residual = subtract(noisy[0], SIGMA, FWHM, GRID.pixel_scale)[None]
    assert correlation(residual, lensed, SIGMA[None]) > 0.8
    assert correlation(noisy, lensed, SIGMA[None]) < 0.7


def test_it_does_not_depend_on_the_images_unit():
    noisy, _, _ = observed(galaxy(*LENS), NO_SOURCE, 0.0)
    one = fit_galaxy(noisy[0], SIGMA, FWHM, GRID.pixel_scale)
    other = fit_galaxy(noisy[0] * 1e-9, SIGMA * 1e-9, FWHM, GRID.pixel_scale)
    assert other.q == pytest.approx(one.q, rel=1e-3)
    torch.testing.assert_close(other.image * 1e9, one.image, rtol=1e-3, atol=1.0)


def test_pixels_that_are_not_finite_do_not_count():
    noisy, clean, _ = observed(galaxy(*LENS), NO_SOURCE, 0.0)
    noisy[0, 0, :9], noisy[0, 1, 5, 5] = math.nan, math.inf
    fit = fit_galaxy(noisy[0], SIGMA, FWHM, GRID.pixel_scale)
    assert error_rms(fit.image[None], clean, SIGMA[None]) < 0.2


SKY = torch.randn(3, 40, 33, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("image", [SKY, 0 * SKY, -50 + SKY, 1e6 * SKY, SKY[:1], SKY[:, :1]])
def test_rubbish_gives_some_finite_galaxy(image):
    count = len(image)
    fit = fit_galaxy(image, torch.ones(count), FWHM[:count], 0.2)
    assert fit.fitted
    assert fit.image.isfinite().all()


@pytest.mark.parametrize(
    ("image", "sigma", "fwhm", "scale"),
    [
        (math.nan * SKY, 1.0, 0.8, 0.2),
        (SKY[:, :3, :3], 1.0, 0.8, 0.2),
        (SKY, 0.0, 0.8, 0.2),
        (SKY, math.nan, 0.8, 0.2),
        (SKY, 1.0, math.nan, 0.2),
        (SKY, 1.0, 0.0, 0.2),
        (SKY, 1.0, 0.8, 0.0),
        (SKY, 1.0, 0.8, math.nan),
    ],
)
def test_what_cannot_be_fitted_says_so(image, sigma, fwhm, scale):
    fit = fit_galaxy(image, torch.full((3,), sigma), torch.full((3,), fwhm), scale)
    assert not fit.fitted
    assert fit.image.shape == image.shape
    assert fit.image.isnan().all()
    assert math.isnan(fit.q)
