"""Distances of a flat ΛCDM universe, tabulated once so that millions of systems are cheap."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

SPEED_OF_LIGHT = 299_792.458
"""km/s."""
ARCSEC = np.pi / 180 / 3600
"""radian."""
_GRID = np.linspace(0.0, 12.0, 6001)

Array = NDArray[np.float64]


@cache
def _comoving(h0: float, omega_m: float) -> Array:
    """Comoving distance in Mpc on the redshift grid, from astropy."""
    from astropy.cosmology import FlatLambdaCDM

    return np.asarray(FlatLambdaCDM(H0=h0, Om0=omega_m, Tcmb0=0).comoving_distance(_GRID).value)


def comoving_distance(z: Array, h0: float = 70.0, omega_m: float = 0.3) -> Array:
    """Comoving distance in Mpc at redshift z ≤ 12 (interpolation error below 1e-6)."""
    if np.any(np.asarray(z) > _GRID[-1]) or np.any(np.asarray(z) < 0):
        raise ValueError(f"redshifts must lie in [0, {_GRID[-1]:g}]")
    return np.asarray(np.interp(z, _GRID, _comoving(h0, omega_m)))


def redshift_at(distance: Array, h0: float = 70.0, omega_m: float = 0.3) -> Array:
    """Redshift at a comoving distance in Mpc, below z = 12."""
    return np.asarray(np.interp(distance, _comoving(h0, omega_m), _GRID))


def angular_diameter_distance(z: Array, h0: float = 70.0, omega_m: float = 0.3) -> Array:
    """Angular diameter distance in Mpc."""
    return comoving_distance(z, h0, omega_m) / (1 + np.asarray(z))


def einstein_radius(
    velocity_dispersion: Array, z_lens: Array, z_source: Array, omega_m: float = 0.3
) -> Array:
    """θ_E in arcsec of a singular isothermal lens: 4π (σ_v/c)² D_ls/D_s; 0 where z_s ≤ z_l.

    velocity_dispersion: km/s. Independent of H0. Collett 2015, eq. 4.
    """
    lens, source = (comoving_distance(z, omega_m=omega_m) for z in (z_lens, z_source))
    ratio = np.where(source > lens, 1 - lens / np.maximum(source, 1e-12), 0.0)
    return 4 * np.pi * (np.asarray(velocity_dispersion) / SPEED_OF_LIGHT) ** 2 * ratio / ARCSEC
