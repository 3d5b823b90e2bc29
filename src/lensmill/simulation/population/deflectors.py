"""Deflectors: elliptical galaxies from the velocity-dispersion function, with their light.

Collett 2015: Choi, Park & Vogeley 2007's function, not evolving, in constant comoving density;
the fundamental plane of Hyde & Bernardi 2009. The mass is as flat as the light.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import gamma, ndtri

Array = NDArray[np.float64]

HUBBLE = 0.7
DENSITY = 8e-3 * HUBBLE**3
"""φ*, Mpc⁻³."""
SIGMA_STAR, FAINT_SLOPE, CUTOFF = 161.0, 2.32, 2.67
"""km/s; exponents of φ(σ)."""
SLOWEST, FASTEST = 100.0, 400.0
"""km/s."""
FARTHEST = 2.0


def velocity_dispersion_function(sigma: Array) -> Array:
    """φ(σ), deflectors per Mpc³ per km/s."""
    x = np.asarray(sigma) / SIGMA_STAR
    shape = x**FAINT_SLOPE * np.exp(-(x**CUTOFF)) * CUTOFF / gamma(FAINT_SLOPE / CUTOFF)
    return DENSITY * shape / np.asarray(sigma)


def axis_ratio(sigma: Array, u: Array) -> Array:
    """q with 1 − q ~ Rayleigh(0.378 − 0.000572 σ), cut to 0.2 < q < 1, from uniforms."""
    scale = 0.378 - 0.000572 * sigma
    allowed = 1 - np.exp(-0.5 * (0.8 / scale) ** 2)
    return 1 - scale * np.sqrt(-2 * np.log1p(-u * allowed))


def absolute_magnitude(sigma: Array, u: Array) -> Array:
    """M_r (AB): the bright root of 0.006 M² + 0.37 M + 2.97 + log σ = 0, scatter 0.0625 mag."""
    constant = 2.97 + np.log10(sigma)
    root = np.sqrt(0.37**2 - 4 * 0.006 * constant)
    return (-0.37 + root) / (2 * 0.006) + 0.0625 * ndtri(u)


def half_light_radius_kpc(sigma: Array, u: Array) -> Array:
    """R_e in kpc: log R_e = 2.46 − 2.79 log σ + 0.84 (log σ)², scatter 0.11 dex."""
    v = np.log10(sigma)
    return 10 ** (2.46 - 2.79 * v + 0.84 * v**2 + 0.11 * ndtri(u))
