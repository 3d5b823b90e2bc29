"""cosmoDC2: bulges and disks as in the LSST DESC's simulated sky (Korytov et al. 2019).

Sizes and axis ratios by the catalogue's own recipes; bulge fractions and colours by a fit to its
rows (`benchmarks/fit_light.py`). Cosmology of the catalogue: flat, H0 = 71, Ω_m = 0.2648.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import product
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor

from lensmill.physics.cosmology import ARCSEC, angular_diameter_distance
from lensmill.simulation.counter import uniform
from lensmill.simulation.population.light import Light, Pairs, as_drawn, magnitudes

Array = NDArray[np.float64]

STREAM_LENS, STREAM_SOURCE = 14, 15
H0, OMEGA_M = 71.0, 0.2648
BRIGHTEST, FAINTEST = -23.5, -13.0
"""M_r between which rows support the fit; galaxies beyond take the nearest's."""
FARTHEST = 3.0
BLUEST, REDDEST = -0.5, 4.5
"""g − i (observed) beyond which colours say nothing."""
CORRELATION = 0.83
"""Of the normal scores of a bulge's and its disk's ellipticity, in the rows."""
FLATTEST = 0.05


@dataclass(frozen=True)
class Part:
    """Size relation of bulges or of disks."""

    faint: float  # slope α
    bright: float  # slope β
    size: float  # γ, kpc
    knee: float  # M_0
    scatter: float  # dex


BULGE, DISK = Part(0.33, 1.0, 3.25, -22.5, 0.15), Part(0.32, 1.75, 12.63, -24.8, 0.2)


@cache
def _table() -> dict[str, Any]:
    text = resources.files(__package__).joinpath("cosmodc2_light.json").read_text()
    return json.loads(text)


def distance_modulus(redshift: Array) -> Array:
    """m − M of no K-correction."""
    distance = angular_diameter_distance(redshift, H0, OMEGA_M) * (1 + redshift) ** 2
    return np.asarray(5 * np.log10(distance) + 25)


def features(absolute_magnitude: Array, redshift: Array, rest_colour: Array) -> Array:
    """(galaxy, 20): what the bulge fraction depends on, cubic in M_r, z and rest g − r."""
    m = (np.clip(absolute_magnitude, BRIGHTEST, FAINTEST) + 19) / 2
    z, c = np.clip(redshift, 0, FARTHEST) - 1, np.clip(rest_colour, -0.3, 0.85)
    powers = [(p, q, r) for p, q, r in product(range(4), repeat=3) if p + q + r <= 3]
    return np.stack([m**p * z**q * c**r for p, q, r in powers], axis=1)


def rest_frame(g: Array, i: Array, redshift: Array) -> tuple[Array, Array]:
    """(M_r, rest-frame g − r) from observed magnitudes: lines in g − i.

    Old ellipticals are redder than the rows, and their lines lead there: −1.1 where a stellar
    population of 10 Gyr has M_r − i + modulus = −1.7 at z = 1, −0.8 for −0.9 at z = 0.8.
    """
    table = _table()["rest_frame"]
    colour = np.clip(g - i, BLUEST, REDDEST)

    def line(name: str) -> Array:
        ends = np.transpose(table[name])
        start, slope = (np.interp(redshift, table["redshift"], each) for each in ends)
        return np.asarray(start + slope * colour)

    return i - distance_modulus(redshift) + line("absolute"), line("rest_colour")


def bulge_fraction(absolute: Array, redshift: Array, rest_colour: Array, u: Array) -> Array:
    """B/T in r from uniforms (galaxy, 2): none, all, or in between."""
    table = _table()["bulge_fraction"]
    x = features(absolute, redshift, rest_colour)
    weight = np.exp((x[:, None] * np.array(table["kinds"])).sum(-1))
    no_bulge, _, no_disk = (weight / weight.sum(1, keepdims=True)).T
    residual = np.interp(u[:, 1], np.linspace(0, 1, 21), table["logit_scatter"])
    between = 1 / (1 + np.exp(-((x * np.array(table["logit"])).sum(-1) + residual)))
    return np.where(u[:, 0] < no_bulge, 0.0, np.where(u[:, 0] > 1 - no_disk, 1.0, between))


def reddening(redshift: Array, u: Array) -> tuple[Array, Array]:
    """How much redder bulges are than disks in g − r and r − i (mag), from uniforms (galaxy,)."""
    table = _table()["redder"]

    def draw(name: str) -> Array:
        middle, width = np.transpose(table[name])
        nodes = table["redshift"]
        return np.interp(redshift, nodes, middle) + np.interp(redshift, nodes, width) * ndtri(u)

    return draw("g_minus_r"), draw("r_minus_i")


def bulge_shares(share_r: Array, redder: tuple[Array, Array]) -> Array:
    """(galaxy, band): B/T in g, r, i; a redder bulge holds less of the bluer bands."""
    g_r, r_i = redder
    dimming = -0.4 * np.stack([g_r, np.zeros_like(g_r), -r_i], axis=1)
    bulge, disk = share_r[:, None] * 10**dimming, 1 - share_r[:, None]
    return np.asarray(bulge / (bulge + disk))


def semi_major_axis_kpc(absolute: Array, redshift: Array, part: Part) -> Array:
    """Median half-light radius along the major axis, M_r being the whole galaxy's.

    γ L^α (1+L)^(β−α) / shrink(z), L = 10^(−0.4 (M_r − M_0)). Both parts of a galaxy lie as many
    of their scatters above or below it.
    """
    luminosity = 10 ** (-0.4 * (np.clip(absolute, -26, -10) - part.knee))
    size = part.size * luminosity**part.faint * (1 + luminosity) ** (part.bright - part.faint)
    return np.asarray(size / (1 + 1 / (1 + np.exp(-4 * (redshift - 1)))))


def kpc_per_arcsec(redshift: Array) -> Array:
    """At `redshift`, in the catalogue's cosmology."""
    return 1e3 * angular_diameter_distance(redshift, H0, OMEGA_M) * ARCSEC


def ellipticity(absolute: Array, score: Array, disk: bool) -> Array:
    """ε = (1 − q²)/(1 + q²) whose square root is Johnson's S_B(a, b) at a normal `score`.

    a, b: −0.4, 0.7 for disks; 0.6, 1.0, 1.6 at M_r = −21, −19, −17, and 1 for bulges.
    """
    a, b = (-0.4, 0.7) if disk else (np.interp(absolute, [-21, -19, -17], [0.6, 1.0, 1.6]), 1.0)
    return np.asarray((1 + np.exp((a - score) / b)) ** -2)


def axis_ratio(epsilon: Array) -> Array:
    """q of ε = (1 − q²)/(1 + q²)."""
    return np.asarray(np.sqrt((1 - epsilon) / (1 + epsilon)))


def axis_ratios(share: Array, absolute: Array, q: Array, u: Array) -> Array:
    """(galaxy, 2): q of bulge and disk, from uniforms (galaxy,), of light that is as flat as `q`.

    The brighter part leads and the other's score follows with `CORRELATION`; the leading score is
    the one at which ε, weighted with the flux `share` of the bulge, is that of `q`.
    """
    target, leads = (1 - q**2) / (1 + q**2), share > 0.5
    scatter = np.sqrt(1 - CORRELATION**2) * ndtri(u)

    def parts(score: Array) -> Array:
        other = CORRELATION * score + scatter
        bulge = ellipticity(absolute, np.where(leads, score, other), disk=False)
        disk = ellipticity(absolute, np.where(leads, other, score), disk=True)
        return np.stack([bulge, disk], axis=1)

    low, high = np.full_like(q, -25.0), np.full_like(q, 25.0)
    for _ in range(40):
        middle = (low + high) / 2
        bulge, disk = parts(middle).T
        flatter = share * bulge + (1 - share) * disk > target
        low, high = np.where(flatter, low, middle), np.where(flatter, middle, high)
    return np.maximum(axis_ratio(parts(low)), FLATTEST)


def lens(pair: Pairs, seed: int, indices: Int[Tensor, " batch"]) -> Light:
    """Bulge and disk as cosmoDC2's, sizes too; together as flat as the pair's lens.

    The axis ratio of the pair stays the light's because it is also the mass's.
    """
    u = uniform(seed, indices, STREAM_LENS, 5).numpy()
    return _bulge_and_disk(pair, "lens", u[:, :4], ndtri(u[:, 4]))


def source(pair: Pairs, seed: int, indices: Int[Tensor, " batch"]) -> Light:
    """Bulge and disk as cosmoDC2's; the disk keeps the pair's radius, on which detection hung."""
    u = uniform(seed, indices, STREAM_SOURCE, 4).numpy()
    return _bulge_and_disk(pair, "source", u, None)


def _bulge_and_disk(pair: Pairs, role: str, u: Array, size_score: Array | None) -> Light:
    redshift = pair[f"z_{role}"]
    drawn = magnitudes(as_drawn(pair, role), role)
    absolute, colour = rest_frame(drawn[:, 0], drawn[:, 2], redshift)
    share = bulge_fraction(absolute, redshift, colour, u[:, :2])
    shares = bulge_shares(share, reddening(redshift, u[:, 2]))
    flatness = axis_ratios(share, absolute, pair[f"q_{role}"], u[:, 3])
    medians = _median_sizes(absolute, redshift)
    if size_score is None:
        along = np.exp(pair[f"ln_radius_{role}"]) / np.sqrt(flatness[:, 1])
        size_score = np.log10(along / medians[:, 1]) / DISK.scatter
    scatter = np.array([BULGE.scatter, DISK.scatter])
    major = medians * 10 ** (scatter * size_score[:, None])
    with np.errstate(divide="ignore"):
        dimming = -2.5 * np.log10(np.stack([shares, 1 - shares], axis=1))
    radius = major * np.sqrt(flatness)
    return Light(magnitudes(pair, role)[:, None] + dimming, radius, (4.0, 1.0), flatness)


def _median_sizes(absolute: Array, redshift: Array) -> Array:
    """(galaxy, 2): median semi-major axes of bulge and disk, arcsec."""
    parts = (BULGE, DISK)
    kpc = [semi_major_axis_kpc(absolute, redshift, part) for part in parts]
    return np.stack(kpc, axis=1) / kpc_per_arcsec(redshift)[:, None]
