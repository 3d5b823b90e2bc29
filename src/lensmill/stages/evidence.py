"""Evidence: a few numbers of each object by which one unlike the training's gives itself away.

They are of the chain's own images, in sky sigmas and pixels, so they mean the same in any survey.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from lensmill.quantities import CLEAN, NOISY, SOURCE, Batch
from lensmill.stages.scaling import centre, fwhm_pixels, in_sigmas, local_noise

Image = Float[Tensor, "batch band y x"]
Numbers = Float[Tensor, "batch number"]
FAINT = 5.0
"""S/N per pixel below which a pixel's noise is mostly the sky's."""
LEAST = 1e-6
"""χ² below which there is no noise at all."""
COARSE = 4
"""Side in pixels of the squares whose noise shows backgrounds and correlated pixels."""
WIDE = 3.0
"""FWHM in which a galaxy's light is counted, beside its innermost one."""


def noise(batch: Batch) -> Numbers:
    """What denoising took away, per band: too much of it, too smooth, or too much in the core.

    ln χ² of faint pixels, the correlation of neighbours among them, ln χ² of squares of them, and
    ln χ² in the core.
    """
    clean = in_sigmas(batch, CLEAN.name)
    residual = in_sigmas(batch, NOISY.name) - clean
    faint = 1 / (1 + (clean / FAINT).square())
    core = centre(clean, fwhm_pixels(batch))
    squares = functional.avg_pool2d(residual * faint, COARSE) * COARSE
    columns = [
        _ln(_mean(residual.square(), faint)),
        _neighbours(residual * faint),
        _ln(squares.square().mean((-2, -1))),
        _ln(_mean((residual / local_noise(clean)).square(), core)),
    ]
    return torch.cat(columns, 1)


def light(batch: Batch) -> Numbers:
    """How bright everything is, per band: the core, its surroundings, the source.

    arcsinh of each S/N, so that differences between bands are colours.
    """
    noisy, source = in_sigmas(batch, NOISY.name), in_sigmas(batch, SOURCE.name)
    columns = [_snr(noisy, centre(noisy, fwhm_pixels(batch), width)) for width in (1.0, WIDE)]
    return torch.asinh(torch.cat([*columns, source.square().sum((-2, -1)).sqrt()], 1))


def conditions(batch: Batch) -> Numbers:
    """ln of the PSF's FWHM in pixels, per band, and of the pixels' side in arcsec."""
    side = batch["pixel_scale"].float()[:, None]
    return torch.cat([fwhm_pixels(batch), side], 1).log()


def _ln(value: Tensor) -> Tensor:
    return value.clamp(min=LEAST).log()


def _mean(image: Image, weight: Tensor) -> Float[Tensor, "batch band"]:
    return (image * weight).sum((-2, -1)) / weight.sum((-2, -1))


def _snr(image: Image, weight: Tensor) -> Float[Tensor, "batch band"]:
    """Of light weighted about the centre, against the sky."""
    return (image * weight).sum((-2, -1)) / weight.square().sum((-2, -1)).sqrt()


def _neighbours(image: Image) -> Float[Tensor, "batch band"]:
    """Mean product of neighbours along x and y over the mean square."""
    products = (image[..., 1:] * image[..., :-1]).mean((-2, -1))
    products = products + (image[..., 1:, :] * image[..., :-1, :]).mean((-2, -1))
    return 0.5 * products / image.square().mean((-2, -1)).clamp(min=LEAST)
