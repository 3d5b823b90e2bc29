"""Pass band: what of an image a PSF could have let through, and bands brought to one PSF."""

import math
from collections.abc import Callable
from functools import cache

import torch
from jaxtyping import Float
from scipy.fft import next_fast_len
from torch import Tensor
from torch.nn import functional

from lensmill.physics.psf import FWHM_PER_SIGMA

FAINTEST = 1e-3
"""Transmission of the PSF at which its pass band is half closed."""
MARGIN = 16
"""Pixels mirrored beyond each edge, so that the far edge is no neighbour."""

Image = Float[Tensor, "batch band y x"]


def pass_band(image: Image, fwhm: Float[Tensor, "batch band"]) -> Image:
    """`image` without the frequencies that a Gaussian of `fwhm` (pixels) does not transmit.

    Its transform is multiplied by 1 / (1 + (FAINTEST / T)²) with T = exp(−2 π² σ² f²), σ in
    pixels and f in cycles per pixel: light as faint as the noise keeps all but a millionth.
    """
    squared_sigma = (fwhm / FWHM_PER_SIGMA).square()[..., None, None]

    def kept(squared: Tensor) -> Tensor:
        return torch.sigmoid(-4 * math.pi**2 * squared_sigma * squared - 2 * math.log(FAINTEST))

    return _filtered(image, kept)


def matched(image: Image, fwhm: Float[Tensor, "batch band"]) -> Image:
    """`image` as if all of its bands had the widest of their Gaussian PSFs; fwhm in pixels."""
    squared_sigma = (fwhm / FWHM_PER_SIGMA).square()
    missing = (squared_sigma.amax(1, keepdim=True) - squared_sigma)[..., None, None]
    return _filtered(image, lambda squared: torch.exp(-2 * math.pi**2 * missing * squared))


def _filtered(image: Image, transmission: Callable[[Tensor], Tensor]) -> Image:
    """`image` with its transform multiplied by a function of (cycles per pixel)²."""
    y, x = image.shape[-2:]
    pad_y, pad_x = _margin(y), _margin(x)
    padded = functional.pad(image, (pad_x, pad_x, pad_y, pad_y), mode="reflect")
    rows = torch.fft.fftfreq(padded.shape[-2], device=image.device)
    columns = torch.fft.rfftfreq(padded.shape[-1], device=image.device)
    kept = torch.fft.rfft2(padded) * transmission(rows[:, None] ** 2 + columns**2)
    filtered = torch.fft.irfft2(kept, s=padded.shape[-2:])
    return filtered[..., pad_y : pad_y + y, pad_x : pad_x + x]


@cache
def _margin(side: int) -> int:
    """Pixels beyond each edge of `side`: at least `MARGIN`, if there are as many to mirror, and so
    many that the whole is of a length whose Fourier transform is quick."""
    for margin in range(MARGIN, side):
        if next_fast_len(side + 2 * margin) == side + 2 * margin:
            return margin
    return min(MARGIN, side - 1)
