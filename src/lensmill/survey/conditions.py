"""Conditions: noise and background as an image itself shows them.

Everything is in pixels and in the image's own unit, one band at a time, images (y, x).
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import ndtri

Image = NDArray[np.floating]
Mask = NDArray[np.bool_]

FAINT_FRACTION = 0.25
FAINT_PIXELS = 128
"""Empty sky is looked for in the faintest quarter of a stamp, or this many pixels if more."""

LAGS = (2, 3)
"""Pixels between the three of a second difference.

Resampled coadds correlate neighbours: at lag 1 their noise looks 10 to 30 % too small. Beyond
3 pixels the shape of galaxies begins to show.
"""

BACKGROUND_SIGNIFICANCE = 0.3
"""Sky levels below this, in σ per pixel, are left: the wings of ordinary galaxies are as bright."""

BACKGROUND_SHARE = 0.8
"""A level is background if this share of it is left when a galaxy's wing has been taken out."""


def estimate_sky_sigma(image: Image, bad: Mask | None = None) -> float:
    """Noise of empty sky per pixel, in the unit of `image` (y, x); NaN where nothing is left.

    The scale of second differences (I(−k) − 2 I(0) + I(k)) / √6 over k = 2, 3 along both axes,
    all three pixels within the faintest part of the smoothed stamp: sources and their gradients
    drop out, and noise correlated over a pixel or two is seen whole. On simulated stamps of 45 to
    111 pixels: median within 2 %, 16–84 % within 8 %. It comes out high, rightly or not, where a
    galaxy fills the whole stamp and its own photon noise is all there is to measure.
    """
    good = np.ones(image.shape, bool) if bad is None else ~bad
    if not good.any():
        return float("nan")
    differences = _differences(image, faint_pixels(image, good))
    if len(differences) < FAINT_PIXELS // 4:
        differences = _differences(image, good)
    return _normal_scale(differences)


def faint_pixels(image: Image, good: Mask) -> Mask:
    """The faintest good pixels (y, x) of the smoothed image."""
    smooth = ndimage.gaussian_filter(image, 2.0)
    fraction = min(1.0, max(FAINT_FRACTION, FAINT_PIXELS / max(good.sum(), 1)))
    return good & (smooth <= np.quantile(smooth[good], fraction))


def _differences(image: Image, used: Mask) -> Image:
    both = ((image, used), (image.T, used.T))
    return np.concatenate([_second_difference(*pair, lag) for pair in both for lag in LAGS])


def _second_difference(image: Image, used: Mask, lag: int) -> Image:
    """Differences along the first axis, scaled to the noise of one pixel."""
    inside = used[: -2 * lag] & used[lag:-lag] & used[2 * lag :]
    difference = image[: -2 * lag] - 2 * image[lag:-lag] + image[2 * lag :]
    return difference[inside] / 6**0.5


def _normal_scale(values: Image) -> float:
    """Standard deviation of the normal core of `values` about 0, from the 68 % smallest."""
    if not len(values):
        return float("nan")
    return float(np.quantile(np.abs(values), 0.68) / ndtri(0.84))


def estimate_background(image: Image, sky_sigma: float, bad: Mask | None = None) -> float:
    """Constant sky level of `image` (y, x), 0 where none is significant.

    The level of the border and of the ring within it tell a pedestal, the same in both, from the
    wing of a galaxy, which falls about as r⁻³. A negative border can only be background.
    """
    good = np.ones(image.shape, bool) if bad is None else ~bad
    depth = _depth(image.shape)
    width = max(3, min(image.shape) // 8)
    border = _level(image[good & (depth < width)], sky_sigma)
    ring = _level(image[good & (depth >= width) & (depth < 2 * width)], sky_sigma)
    half = (min(image.shape) - 1) / 2
    level = border if border < 0 else _without_wing(border, ring, half, width)
    return level if abs(level) > BACKGROUND_SIGNIFICANCE * sky_sigma else 0.0


def _depth(shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Pixels between each pixel and the nearest edge."""
    y, x = np.indices(shape)
    return np.minimum.reduce([y, x, shape[0] - 1 - y, shape[1] - 1 - x])


def _level(values: Image, sky_sigma: float) -> float:
    """Mode of `values`: the median of those within 2.5 σ of it, from below; 0 where all are bad."""
    ordered = np.sort(values)
    level = ordered[int(0.3 * len(ordered))] if len(ordered) else 0.0
    for _ in range(10 if len(ordered) else 0):
        near = (level - 2.5 * sky_sigma, level + 2.5 * sky_sigma)
        level = ordered[int(np.searchsorted(ordered, near).sum()) // 2]
    return float(level)


def _without_wing(border: float, ring: float, half: float, width: int) -> float:
    """What is left of the border's level without a wing ∝ r⁻³ fitted to both; 0 if little."""
    inner, outer = (half - 1.5 * width) ** 3, (half - 0.5 * width) ** 3
    level = min(border, (border * outer - ring * inner) / (outer - inner))
    return level if level > BACKGROUND_SHARE * border else 0.0
