"""Deflectors of Collett 2015: densities, counts and medians of the prescription."""

import numpy as np
import pytest

from lensmill.physics.cosmology import comoving_distance
from lensmill.simulation.population import deflectors

SIGMA = np.array([150.0, 200.0, 250.0, 300.0])


def test_density_and_all_sky_count():
    sigma = np.linspace(deflectors.SLOWEST, deflectors.FASTEST, 3001)
    density = np.trapezoid(deflectors.velocity_dispersion_function(sigma), sigma)
    farthest = comoving_distance(np.array([deflectors.FARTHEST]), 100 * deflectors.HUBBLE)[0]
    volume = 4 / 3 * np.pi * farthest**3
    assert density == pytest.approx(1.90e-3, rel=5e-3)
    assert density * volume == pytest.approx(1.1e9, rel=0.01)


def test_fundamental_plane():
    median = np.full(4, 0.5)
    expected = [-21.19, -22.34, -23.35, -24.29]
    np.testing.assert_allclose(deflectors.absolute_magnitude(SIGMA, median), expected, atol=6e-3)


def test_faster_galaxies_are_rounder():
    ranks = (np.arange(9999) + 0.5) / 9999
    medians = [np.median(deflectors.axis_ratio(np.full(9999, s), ranks)) for s in SIGMA]
    np.testing.assert_allclose(medians, [0.66, 0.69, 0.72, 0.76], atol=6e-3)
    lowest = deflectors.axis_ratio(SIGMA, np.full(4, 1 - 1e-12))
    np.testing.assert_allclose(lowest, 0.2, atol=1e-3)
