"""Noise and background, against images whose truth is known."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from lensmill.grid import Grid
from lensmill.physics.surveys import DES_WIDE, HSC_WIDE, LSST_10YEAR
from lensmill.simulation.observing import Observing
from lensmill.simulation.population.priors import Priors
from lensmill.simulation.simulator import Simulator
from lensmill.survey.conditions import (
    estimate_background,
    estimate_sky_sigma,
)

SHAPES = [(64, 60), (48, 53), (75, 66)]
SURVEYS = [LSST_10YEAR, DES_WIDE, HSC_WIDE]


def simulated(survey, shape, count=24):
    """Images in e⁻ (n, y, x) and the noise of their sky (n,), bands taken as images."""
    grid = Grid(shape, survey.pixel_scale)
    batch = Simulator(Priors(), Observing(survey), grid)(11, torch.arange(count))
    images = batch["noisy"].flatten(0, 1).double().numpy()
    return images, batch["sky_sigma"].flatten().double().numpy()


@pytest.fixture(scope="module", params=zip(SURVEYS, SHAPES, strict=True), ids=lambda p: p[0].name)
def stamps(request):
    return simulated(*request.param)


def white(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_sky_sigma_of_simulated_stamps(stamps):
    images, sigma = stamps
    ratio = np.array([estimate_sky_sigma(image) for image in images]) / sigma
    assert abs(np.median(ratio) - 1) < 0.04
    assert np.quantile(abs(ratio - 1), 0.8) < 0.15
    assert ratio.min() > 0.8


def test_sky_sigma_scales_with_the_unit_and_ignores_a_pedestal():
    image = white((50, 41))
    assert estimate_sky_sigma(1e-9 * image + 7e-8) == pytest.approx(
        1e-9 * estimate_sky_sigma(image)
    )


@pytest.mark.parametrize("kernel", [[1.0], [0.5, 0.5], [0.15, 0.7, 0.15]])
def test_sky_sigma_sees_noise_correlated_by_resampling_whole(kernel):
    image = white((90, 94))
    for axis in (0, 1):
        image = ndimage.convolve1d(image, kernel, axis=axis)
    assert estimate_sky_sigma(image) == pytest.approx(image.std(), rel=0.08)


def test_sky_sigma_is_not_of_neighbours_or_of_a_galaxy_that_fills_the_stamp():
    y, x = np.mgrid[:64, :72]
    image = white((64, 72))
    for centre, height, width in (((32, 36), 400, 9.0), ((10, 60), 50, 3.0), ((55, 12), 90, 2.0)):
        image += height * np.exp(-np.hypot(y - centre[0], x - centre[1]) / width)
    assert estimate_sky_sigma(image) == pytest.approx(1, rel=0.1)


def test_sky_sigma_leaves_bad_pixels_out():
    image = white((40, 50))
    bad = np.zeros(image.shape, bool)
    bad[:, ::4] = True
    assert estimate_sky_sigma(np.where(bad, 0, image), bad) == pytest.approx(1, rel=0.2)
    assert np.isnan(estimate_sky_sigma(image, np.ones(image.shape, bool)))


def test_background_of_simulated_stamps_is_left_alone(stamps):
    """The simulator has no sky level; the wings of its galaxies are not to be taken for one."""
    images, sigma = stamps
    level = [estimate_background(image, noise) for image, noise in zip(images, sigma, strict=True)]
    assert np.mean(np.array(level) != 0) < 0.03


def test_a_pedestal_under_simulated_stamps_is_found(stamps):
    images, sigma = stamps
    pairs = list(zip(images, sigma, strict=True))
    level = [estimate_background(image + 30 * noise, noise) / noise for image, noise in pairs]
    assert np.median(level) == pytest.approx(30, abs=0.3)
    assert np.mean(np.array(level) > 25) > 0.9


@pytest.mark.parametrize("level", [-200.0, -0.6, 2.0, 300.0])
def test_background_of_empty_sky(level):
    assert estimate_background(white((45, 52)) + level, 1.0) == pytest.approx(level, abs=0.3)


@pytest.mark.parametrize("level", [-0.15, 0.0, 0.15])
def test_an_insignificant_background_is_no_background(level):
    assert estimate_background(white((60, 64)) + level, 1.0) == 0
