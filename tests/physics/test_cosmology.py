"""Distances and Einstein radii against astropy."""

import numpy as np
import pytest
from astropy import constants, units
from astropy.cosmology import FlatLambdaCDM

from lensmill.physics.cosmology import (
    angular_diameter_distance,
    comoving_distance,
    einstein_radius,
)

LENS = np.array([0.05, 0.3, 0.5, 1.1, 2.0])
SOURCE = np.array([0.3, 0.9, 2.06, 3.7, 9.9])


@pytest.mark.parametrize(("h0", "omega_m"), [(70.0, 0.3), (71.0, 0.2648)])
def test_distances_agree_with_astropy(h0: float, omega_m: float) -> None:
    universe = FlatLambdaCDM(H0=h0, Om0=omega_m, Tcmb0=0)
    z = np.concatenate([LENS, SOURCE])
    comoving = universe.comoving_distance(z).to_value("Mpc")
    np.testing.assert_allclose(comoving_distance(z, h0, omega_m), comoving, rtol=1e-6)
    diameter = universe.angular_diameter_distance(z).to_value("Mpc")
    np.testing.assert_allclose(angular_diameter_distance(z, h0, omega_m), diameter, rtol=1e-6)


def test_einstein_radius_agrees_with_astropy() -> None:
    universe = FlatLambdaCDM(H0=70, Om0=0.3, Tcmb0=0)
    ratio = universe.angular_diameter_distance(LENS, SOURCE) / (
        universe.angular_diameter_distance(SOURCE)
    )
    speed = 258 * units.km / units.s
    angle = 4 * np.pi * ((speed / constants.c) ** 2).decompose() * ratio * units.rad
    np.testing.assert_allclose(
        einstein_radius(np.full(5, 258.0), LENS, SOURCE), angle.to_value("arcsec"), rtol=1e-5
    )


def test_the_median_lens_of_lenspop() -> None:
    """σ_v = 258 km/s, z = 0.49 and 2.06: 1.24″ (their median θ_E: 1.15″)."""
    radius = einstein_radius(np.array([258.0]), np.array([0.49]), np.array([2.06]))
    assert radius[0] == pytest.approx(1.24, abs=0.01)


def test_nothing_is_lensed_in_front_of_the_lens() -> None:
    radius = einstein_radius(
        np.full(3, 250.0), np.array([0.5, 0.5, 1.0]), np.array([0.5, 0.2, 0.0])
    )
    assert (radius == 0).all()


def test_redshifts_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="redshifts must lie in"):
        comoving_distance(np.array([0.5, 13.0]))
