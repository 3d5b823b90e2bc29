"""Visits: the seeing and sky of a coadd, from those of the LSST visits in it.

Every visit draws its seeing and its sky by itself, from the quantiles of 195 visits a band that
OpSim simulated (visits.json; `benchmarks/fit_visits.py`). In that table the two do not correlate
(|r| ≤ 0.13). Visits of one night share some of both (r ≈ 0.2 from a row to the next), which is left
out: coadds of a few visits differ a little more in truth.

The table is of one field, in moonlight and twilight too (sky up to 16.8 mag/arcsec² in g): ten
years of it are 0.25, 0.05 and 0.16 mag shallower in g, r, i than the preset `lsst_10year`, whose
sky is dark.

Seeing is FWHMgeom, the width of the profile at half its maximum: what `psf_fwhm` means and what a
PSF image shows. FWHMeff = (FWHMgeom − 0.052″)/0.822 is that of a Gaussian with as many noise pixels
as the real, winged profile, and some 13 % wider. A round Gaussian of FWHMgeom lacks those wings, so
a `moffat` belongs to this.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from lensmill.simulation.counter import uniform

STREAM = 12
STEPS = 7

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Coadd:
    """What the visits amount to; all (batch, band)."""

    psf_fwhm: Array  # arcsec
    sky_brightness: Array  # mag / arcsec²
    visits: Array  # as many equal ones would have the noise of the light of objects


@cache
def visit_quantiles(band: str) -> tuple[Array, Array, Array]:
    """Levels, and at them FWHMgeom (arcsec) and sky (mag/arcsec²); ValueError lists the bands."""
    table = json.loads(resources.files(__package__).joinpath("visits.json").read_text())
    if band not in table["bands"]:
        raise ValueError(f"no LSST visits in band {band!r}; choices: {', '.join(table['bands'])}")
    columns = table["bands"][band]
    levels, *values = (table["levels"], columns["FWHMgeom"], columns["filtSkyBrightness"])
    return np.array(levels), np.array(values[0]), np.array(values[1])


def draw_coadd(
    seed: int, indices: Int[Tensor, " batch"], bands: tuple[str, ...], visits: Array, most: int
) -> Coadd:
    """Coadds of `visits` (batch, band), the last of which may be a part of one.

    A visit of exposure e and sky s weighs e/s, the inverse of its sky's variance. most: as many are
    drawn for every scene, so that none depends on how deep those beside it are.
    """
    u = uniform(seed, indices.cpu(), STREAM, 2 * len(bands) * most).numpy()
    u = u.reshape(len(u), most, len(bands), 2)
    fwhm, magnitude = (np.empty((len(u), len(bands), most)) for _ in range(2))
    for number, band in enumerate(bands):
        levels, seeing, sky = visit_quantiles(band)
        fwhm[:, number] = np.interp(u[:, :, number, 0], levels, seeing)
        magnitude[:, number] = np.interp(u[:, :, number, 1], levels, sky)
    return combine(fwhm, magnitude, np.clip(visits[..., None] - np.arange(most), 0, 1))


def combine(
    fwhm: Float[np.ndarray, "batch band visit"],
    sky_brightness: Float[np.ndarray, "batch band visit"],
    exposure: Float[np.ndarray, "batch band visit"],
) -> Coadd:
    """The coadd of visits of `exposure` (1: a whole one), of inverse-variance weight.

    With w ∝ e/s: Poisson noise of objects as that of (Σ e/s)²/Σ e/s² equal visits, whose sky is
    Σ e/s / Σ e/s².
    """
    sky = 10 ** (-0.4 * sky_brightness)
    weight, square = exposure / sky, exposure / sky**2
    total, squares = weight.sum(-1), square.sum(-1)
    brightness = -2.5 * np.log10(total / squares)
    return Coadd(mean_width(fwhm, weight), brightness, total**2 / squares)


def mean_width(
    fwhm: Float[np.ndarray, "batch band visit"], weight: Float[np.ndarray, "batch band visit"]
) -> Array:
    """FWHM of the weighted mean of Gaussians of unit flux: where it is half as high as within.

    Sharp visits make the peak, so it is less than the mean FWHM. Moffats of the same widths give
    the same to 2 %.
    """
    rate = np.log(2) / fwhm**2
    square = np.min(fwhm, -1, where=weight > 0, initial=np.inf) ** 2
    for _ in range(STEPS):  # of Newton's: from the sharpest visit on, always from below
        height = weight * rate * np.exp(-rate * square[..., None])
        slope = (rate * height).sum(-1)
        square = square + (height.sum(-1) - 0.5 * (weight * rate).sum(-1)) / slope
    return np.sqrt(square)
