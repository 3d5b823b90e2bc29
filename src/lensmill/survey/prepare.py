"""Preparing one band: bad pixels found and filled, noise and background known, PSF measured."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lensmill.physics.bad_pixels import fill_bad
from lensmill.physics.psf_width import measure_fwhm
from lensmill.survey.celestial import celestial
from lensmill.survey.conditions import (
    Image,
    Mask,
    estimate_background,
    estimate_sky_sigma,
    faint_pixels,
)
from lensmill.survey.raw import Array, RawBand
from lensmill.survey.reading import Reading, StampError

DEFAULT_FWHM = 0.9
"""arcsec; a middling night from the ground, for want of anything better."""

MAX_BAD = 0.5
"""Share of bad pixels beyond which a band is not worth filling."""

MOST = float(np.finfo(np.float32).max) ** 0.5
"""From here on a pixel is as bad as NaN, and −3.4e38 often stands for it: its square is infinite
in float32."""

CREDIBLE = (1 / 20, 3.0)
"""Stated noise is believed within these multiples of the noise seen.

Correlated noise looks up to 2 times smaller than it is, and a galaxy that fills a small stamp makes
it look up to 10 times larger; a weight map of exposure times or another unit is mostly off by more.
"""


@dataclass(frozen=True)
class PreparedBand:
    """One band ready for use, and the flags of what was done to it."""

    image: Image  # (y, x), image units, finite
    bad: Mask  # (y, x)
    sky_sigma: float  # image units
    background: float  # image units: the constant that was subtracted
    flags: tuple[str, ...]


def prepare(raw: RawBand, where: str) -> PreparedBand:
    """`raw` with its bad pixels filled and a significant background subtracted.

    where: file and band, for the StampError.
    """
    bad = _find_bad(raw, where)
    filled = fill_bad(raw.image, bad)
    sigma, flags = _sky_sigma(raw, filled, bad)
    if not sigma > 0:
        raise StampError("zero_variance", f"{where}: no noise at all can be seen in it")
    background = estimate_background(filled, sigma, bad)
    if background:
        flags += ("background_subtracted",)
    if bad.any():
        flags += ("bad_pixels_filled",)
    return PreparedBand(filled - background, bad, sigma, background, flags)


def _find_bad(raw: RawBand, where: str) -> Mask:
    """Pixels that are not finite, not observed, or rows and columns of one value along an edge."""
    finite = np.abs(raw.image) < MOST
    if not finite.any():
        raise StampError("all_nan", f"{where}: no pixel is a finite number")
    if np.ptp(raw.image[finite]) == 0:
        raise StampError("zero_variance", f"{where}: every pixel has the same value")
    bad = ~finite | _unobserved(raw, where) | _blank_edges(raw.image)
    if raw.masked is not None:
        bad |= raw.masked
    if bad.mean() > MAX_BAD:
        raise StampError("too_many_bad", f"{where}: {bad.mean():.0%} of its pixels are bad")
    return bad


def _unobserved(raw: RawBand, where: str) -> Mask:
    """Pixels without a positive, finite variance."""
    if raw.variance is None:
        return np.zeros(raw.image.shape, bool)
    observed = np.isfinite(raw.variance) & (raw.variance > 0)
    if not observed.any():
        raise StampError("zero_variance", f"{where}: its noise map is nowhere positive and finite")
    return ~observed


def _blank_edges(image: Array) -> Mask:
    """Rows and columns of one value, 0 or −99, up to the edge: cut-outs across a tile's end."""
    rows = _reaching_the_edge((image == image[:, :1]).all(1))
    columns = _reaching_the_edge((image == image[:1]).all(0))
    return rows[:, None] | columns[None, :]


def _reaching_the_edge(blank: NDArray[np.bool_]) -> NDArray[np.bool_]:
    first = np.logical_and.accumulate(blank)
    return first | np.logical_and.accumulate(blank[::-1])[::-1]


def _sky_sigma(raw: RawBand, filled: Image, bad: Mask) -> tuple[float, tuple[str, ...]]:
    """σ as the file states it, where that is credible; else estimated."""
    seen = estimate_sky_sigma(filled, bad)
    stated = _stated_sigma(raw, filled, bad)
    if stated is None:
        return seen, ("sky_sigma_estimated",)
    if CREDIBLE[0] * seen < stated < CREDIBLE[1] * seen:
        return stated, ()
    return seen, ("sky_sigma_estimated", "stated_noise_disagrees")


def _stated_sigma(raw: RawBand, filled: Image, bad: Mask) -> float | None:
    """σ of the file itself, or of its noise map where the sky is empty."""
    if raw.sky_sigma is not None or raw.variance is None:
        return raw.sky_sigma
    return float(np.median(raw.variance[faint_pixels(filled, ~bad)])) ** 0.5


def find_fwhm(
    raw: RawBand, band: str, pixel_scale: float, reading: Reading
) -> tuple[float, tuple[str, ...]]:
    """FWHM in arcsec: given, measured on the PSF image, stated by the file, or assumed."""
    if reading.psf_fwhm is not None:
        return reading.psf_fwhm[reading.bands.index(band)], ("psf_given",)
    if (measured := _measured_fwhm(raw, pixel_scale)) is not None:
        return measured, ()
    if raw.psf_fwhm is not None:
        return raw.psf_fwhm, ()
    preset = reading.survey.bands.get(band) if reading.survey else None
    return (preset.psf_fwhm if preset else DEFAULT_FWHM), ("psf_assumed",)


def _measured_fwhm(raw: RawBand, pixel_scale: float) -> float | None:
    """FWHM in arcsec of the PSF image, on its own pixel scale where it states one."""
    if raw.psf is None:
        return None
    own = celestial(raw.psf_header, (raw.psf.shape[0], raw.psf.shape[1]))
    try:
        return measure_fwhm(raw.psf) * (own.pixel_scale if own else pixel_scale)
    except ValueError:
        return None
