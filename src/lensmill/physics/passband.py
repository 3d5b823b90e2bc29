"""Pass band: what of an image a PSF could have let through; the rest of it is noise."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from lensmill.physics.psf import FWHM_PER_SIGMA

FAINTEST = 1e-3
"""Transmission of the PSF at which its pass band is half closed."""
MARGIN = 16
"""Pixels mirrored beyond each edge, so that the far edge is no neighbour."""


def pass_band(
    image: Float[Tensor, "batch band y x"], fwhm: Float[Tensor, "batch band"]
) -> Float[Tensor, "batch band y x"]:
    """`image` without the frequencies that a Gaussian of `fwhm` (pixels) does not transmit.

    Its transform is multiplied by 1 / (1 + (FAINTEST / T)²) with T = exp(−2 π² σ² f²), σ in
    pixels and f in cycles per pixel: light as faint as the noise keeps all but a millionth.
    """
    y, x = image.shape[-2:]
    pad_y, pad_x = min(MARGIN, y - 1), min(MARGIN, x - 1)
    padded = functional.pad(image, (pad_x, pad_x, pad_y, pad_y), mode="reflect")
    rows = torch.fft.fftfreq(padded.shape[-2], device=image.device)
    columns = torch.fft.rfftfreq(padded.shape[-1], device=image.device)
    squared = rows[:, None] ** 2 + columns**2
    sigma = (fwhm / FWHM_PER_SIGMA)[..., None, None]
    exponent = 4 * math.pi**2 * sigma**2 * squared + 2 * math.log(FAINTEST)
    kept = torch.fft.rfft2(padded) * torch.sigmoid(-exponent)
    filtered = torch.fft.irfft2(kept, s=padded.shape[-2:])
    return filtered[..., pad_y : pad_y + y, pad_x : pad_x + x]
