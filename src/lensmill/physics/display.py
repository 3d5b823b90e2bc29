"""Display space: the eight-bit colour pictures in which the paper's figures are measured.

The paper's image networks and its PSNRs live there (its authors' later code shows how), so its
Table 1 can only be compared with there. Fluxes have `evaluation.metrics.linear_psnr`.
"""

import torch
from jaxtyping import Float
from torch import Tensor

BANDS = 3
WEIGHTS = (0.9, 1.1, 1.5)
"""Of red (i), green (r) and blue (g), relative to their mean."""
Q, ALPHA = 20.0, 40.8
"""Of the asinh stretch (Lupton et al. 2004)."""
WHITE = 0.995
"""The quantile of a picture's own values that becomes white."""
TINY = 1e-10

Image = Float[Tensor, "batch 3 y x"]


def calibrated(image: Image, zero_point: Float[Tensor, "batch 3"]) -> Image:
    """`image` in units of one zero point for all bands (30, LensPop's), as pictures want it."""
    return image * 10 ** (-0.4 * (zero_point - 30.0))[..., None, None]


def display(image: Image, noisy: Image) -> Image:
    """`shading` as the paper's pictures have it: whole numbers from 0 to 255."""
    return torch.floor(255 * shading(image, noisy))


def shading(image: Image, noisy: Image) -> Image:
    """The picture (red, green, blue), from 0 to 1, of a `calibrated` g, r, i image; differentiable.

    noisy: the observed image, whose largest value sets the scale of everything made from it.
    """
    scale = noisy.amax((1, 2, 3), keepdim=True)
    weights = image.new_tensor(WEIGHTS) / (sum(WEIGHTS) / 3)
    colours = (image / scale).clamp(TINY, 1).flip(1) * weights[:, None, None]
    intensity = colours.square().sum(1, keepdim=True).sqrt() + TINY
    colours = colours * torch.asinh(ALPHA * Q * intensity) / (Q * intensity)
    colours = colours / colours.amax(1, keepdim=True).clamp(min=1)
    white = torch.quantile(colours.flatten(1), WHITE, dim=1)[:, None, None, None]
    return (colours / white.clamp(min=TINY)).clamp(0, 1)


def display_psnr(image: Image, truth: Image, noisy: Image) -> Float[Tensor, " batch"]:
    """PSNR in dB of pictures: 10 log10(D²/MSE), D = max(truth) − min(truth); inf if perfect."""
    return picture_psnr(display(image, noisy), display(truth, noisy))


def picture_psnr(picture: Image, expected: Image) -> Float[Tensor, " batch"]:
    """`display_psnr` of pictures that were made already."""
    flat = expected.flatten(1)
    span = flat.amax(1) - flat.amin(1)
    return 10 * torch.log10(span**2 / (picture - expected).square().mean((1, 2, 3)))
