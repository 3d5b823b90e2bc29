"""Pairs: deflectors and the galaxies behind them, drawn by cross-section.

Everything within θ_E of a deflector is lensed, so pairs are drawn with weight θ_E², which is
σ⁴ (1 − χ_l/χ_s)² in a flat universe. Galaxies become sources in proportion to the integral of that
over the volume in front of them; given the source, χ_l/χ_s is then a Beta(3, 3) variable, cut at
the farthest deflector. So nothing but galaxies' redshifts is drawn to be thrown away.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincinv

from lensmill.physics.cosmology import (
    ARCSEC,
    SPEED_OF_LIGHT,
    comoving_distance,
    einstein_radius,
    redshift_at,
)
from lensmill.simulation.population import background, deflectors
from lensmill.simulation.population.background import Background, Fitted, Galaxies

Array = NDArray[np.float64]

FITTED = Fitted()
CHOICE = 3
"""How many random numbers decide whether a galaxy becomes the source of a pair."""
UNIFORMS = 1 + background.UNIFORMS + 6
"""How many random numbers a pair takes, those of the choice first."""


@dataclass(frozen=True)
class Pairs:
    """Deflectors and sources within θ_E of them; all (pair,), positions from the deflector."""

    source: Galaxies
    z_lens: Array
    velocity_dispersion: Array  # km/s
    theta_E: Array  # noqa: N815 (arcsec)
    q_lens: Array
    x: Array  # arcsec, along the deflector's major axis
    y: Array
    phi_source: Array  # radian, from the deflector's major axis


def chosen(u: Array, behind: Background = FITTED) -> NDArray[np.bool_]:
    """Which galaxies become sources, by the volume in front of them; u: (galaxy, `CHOICE`)."""
    distance = comoving_distance(behind.redshifts(u[:, 1:]))
    most = lensing_volume(comoving_distance(np.asarray(behind.farthest)))
    return np.asarray(u[:, 0] * most < lensing_volume(distance))


def draw_pairs(u: Array, behind: Background = FITTED) -> Pairs:
    """Pairs with weight φ(σ) θ_E², from uniforms (pair, `UNIFORMS`) whose galaxies are `chosen`."""
    source = behind.draw(u[:, 1 : 1 + background.UNIFORMS])
    share, speed, shape, radius, angle, turn = u[:, 1 + background.UNIFORMS :].T
    distance = comoving_distance(source.redshift)
    z_lens = redshift_at(distance * _beta33(share, _farthest(distance)))
    sigma = np.interp(speed, *_speeds())
    theta_E = einstein_radius(sigma, z_lens, source.redshift)
    beta, angle = theta_E * np.sqrt(radius), 2 * np.pi * angle
    return Pairs(
        source=source,
        z_lens=z_lens,
        velocity_dispersion=sigma,
        theta_E=theta_E,
        q_lens=deflectors.axis_ratio(sigma, shape),
        x=beta * np.cos(angle),
        y=beta * np.sin(angle),
        phi_source=np.pi * turn,
    )


def _farthest(distance: Array) -> Array:
    """χ_l/χ_s of the farthest deflector in front of sources at `distance` (Mpc)."""
    farthest = comoving_distance(np.asarray(deflectors.FARTHEST))
    return np.asarray(np.minimum(1.0, farthest / distance))


def _beta33(u: Array, cut: Array) -> Array:
    """A Beta(3, 3) variable below `cut`, from uniforms."""
    return np.asarray(betaincinv(3, 3, u * betainc(3, 3, cut)))


def lensing_volume(distance: Array) -> Array:
    """∫ (1 − χ/χ_s)² dV in front of a source at χ_s = `distance`, Mpc³ of the whole sky."""
    return np.asarray(4 * np.pi / 30 * distance**3 * betainc(3, 3, _farthest(distance)))


@cache
def _speeds() -> tuple[Array, Array]:
    """Cumulative share and σ of φ(σ) σ⁴."""
    sigma = np.linspace(deflectors.SLOWEST, deflectors.FASTEST, 3001)
    weight = deflectors.velocity_dispersion_function(sigma) * sigma**4
    total = np.concatenate([[0], np.cumsum(0.5 * (weight[1:] + weight[:-1]))])
    return total / total[-1], sigma


def draws_on_the_whole_sky(behind: Background = FITTED) -> float:
    """How many draws of galaxies, `chosen` or not, make the whole sky."""
    sigma = np.linspace(deflectors.SLOWEST, deflectors.FASTEST, 3001)
    fourth = np.trapezoid(deflectors.velocity_dispersion_function(sigma) * sigma**4, sigma)
    area = np.pi * (4 * np.pi / SPEED_OF_LIGHT**2 / ARCSEC) ** 2 * fourth  # arcsec² / Mpc³
    volume = lensing_volume(comoving_distance(np.asarray(behind.farthest)))
    return float(area * volume * behind.per_arcsec2)
