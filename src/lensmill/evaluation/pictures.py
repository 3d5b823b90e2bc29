"""Pictures: images as an astronomer wants to see them, +y up."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from PIL import Image

SOFTENING = 2.0
"""Sky sigmas below which the stretch is linear: noise is just visible."""
SMALLEST_SCALE = 25.0
"""Sky sigmas that are fully bright in an image that has nothing brighter: emptiness stays dark."""
BALANCE = (1.1, 0.95, 1.1)
"""Weights of red, green and blue: in sky sigmas, r is deepest and ellipticals would be green."""
RESIDUAL_RANGE = 5.0
"""Local sigmas at which a residual is fully blue or red."""
KNEE = 50.0
"""S/N per pixel above which the object's own noise counts, as in `stages.scaling`."""
PANEL = 160
"""Pixels of a panel's longer side."""
GAP = 4
DARK = (22, 22, 24)
WAVELENGTHS = "ugrizyYJHK"
"""Known bands, from blue to red."""

Stamp = Float[np.ndarray, "band y x"]
Picture = UInt8[np.ndarray, "y x 3"]
Stretch = Callable[[Any], Any]

STRETCHES: dict[str, Stretch] = {
    "asinh": lambda sigmas: np.arcsinh(sigmas / SOFTENING),
    "sqrt": np.sqrt,
    "linear": lambda sigmas: sigmas,
}
"""From sky sigmas, which are not negative, to brightness, up to a factor."""


def colour(
    image: Stamp, bands: Sequence[str], scale: float | None = None, stretch: str = "asinh"
) -> Picture:
    """Colour picture of an image in sky sigmas: a stretch of the brightest channel, which
    keeps the hue at every brightness (after Lupton et al. 2004, who stretch the mean).

    The bluest band is blue, the reddest red, the middle one green; one band is grey. `scale`: sky
    sigmas that come out fully bright; `white_level` of the image by default. `stretch`: one of
    `STRETCHES`.
    """
    curve = STRETCHES[stretch]
    scale = white_level(image) if scale is None else scale
    rgb = np.maximum(_rgb(_finite(image), bands), 0)
    brightest = rgb.max(0)
    stretched = curve(brightest) / curve(scale)
    return _picture(rgb * (np.minimum(stretched, 1) / np.maximum(brightest, 1e-9)))


def white_level(image: Stamp) -> float:
    """The scale, in sky sigmas, at which the brightest 0.1 % of an image are fully bright."""
    brightest = float(np.quantile(_finite(image).max(0), 0.999))
    return max(brightest, SMALLEST_SCALE)


def local_residual(noisy: Stamp, clean: Stamp) -> Stamp:
    """noisy − clean in units of the local noise, of images in sky sigmas."""
    return (noisy - clean) / np.sqrt(1 + np.maximum(clean, 0) / KNEE)


def residual_panel(residual: Stamp) -> Picture:
    """Blue–white–red picture of a residual in local sigmas, summed over its bands, ±5 σ."""
    total = _finite(residual).sum(0) / len(residual) ** 0.5
    depth = np.clip(total / RESIDUAL_RANGE, -1, 1)
    red, blue = 1 - np.maximum(-depth, 0), 1 - np.maximum(depth, 0)
    return _picture(np.stack([red, np.minimum(red, blue), blue]))


def strip(
    noisy: Stamp,
    clean: Stamp,
    source: Stamp,
    sky_sigma: Float[np.ndarray, " band"],
    bands: Sequence[str],
) -> Image.Image:
    """Five panels: input, denoised, source, lens light (clean − source), residual.

    All share the denoised image's scale, but for the source, which has its own: arcs are faint
    beside a galaxy. The residual is (noisy − clean) in units of the local noise.
    """
    sigma = np.asarray(sky_sigma)[:, None, None]
    noisy, clean, source = (np.asarray(each) / sigma for each in (noisy, clean, source))
    scale = white_level(clean)
    panels = [
        colour(noisy, bands, scale),
        colour(clean, bands, scale),
        colour(source, bands),
        colour(clean - source, bands, scale),
        residual_panel(local_residual(noisy, clean)),
    ]
    return _row([_enlarged(panel) for panel in panels])


def _finite(image: Stamp) -> NDArray[np.floating]:
    return np.nan_to_num(image, nan=0.0, posinf=0.0, neginf=0.0)


def _rgb(image: Stamp, bands: Sequence[str]) -> NDArray[np.floating]:
    """Red, green and blue planes: the reddest, the middle and the bluest band."""
    if len(bands) != len(image):
        raise ValueError(f"an image of {len(image)} bands cannot be {tuple(bands)}")
    order = np.argsort([WAVELENGTHS.find(band) for band in bands], kind="stable")
    blue, red = image[order[0]], image[order[-1]]
    middle = (blue + red) / 2 if len(bands) == 2 else image[order[len(order) // 2]]
    rgb = np.stack([red, middle, blue])
    return rgb if len(bands) == 1 else rgb * np.array(BALANCE)[:, None, None]


def _picture(rgb: NDArray[np.floating]) -> Picture:
    """Planes in [0, 1] as 8-bit pixels, row 0 at the bottom."""
    levels = np.round(255 * rgb).astype(np.uint8)
    return np.ascontiguousarray(levels.transpose(1, 2, 0)[::-1])


def _enlarged(picture: Picture) -> Image.Image:
    y, x, _ = picture.shape
    size = (round(PANEL * x / max(y, x)), round(PANEL * y / max(y, x)))
    return Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC)


def _row(panels: Sequence[Image.Image]) -> Image.Image:
    """Panels side by side on a dark ground."""
    width, height = panels[0].size
    row = Image.new("RGB", (len(panels) * (width + GAP) - GAP, height), DARK)
    for place, panel in enumerate(panels):
        row.paste(panel, (place * (width + GAP), 0))
    return row
