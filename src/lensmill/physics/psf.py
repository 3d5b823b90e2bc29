"""Round Gaussian point spread functions: a pair of matrices for each band.

A Gaussian is separable, so blurring, cropping and integrating over pixels are one matrix for each
axis: image = A_y · cells · A_xᵀ.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

FWHM_PER_SIGMA = 2 * math.sqrt(2 * math.log(2))


def _pixel_integral(offset: Tensor, sigma: Tensor, pixel_scale: float) -> Tensor:
    """∫ of a unit Gaussian over a pixel whose centre lies `offset` arcsec away."""
    scale = 1 / (math.sqrt(2) * sigma)
    upper, lower = offset + pixel_scale / 2, offset - pixel_scale / 2
    return 0.5 * (torch.erf(upper * scale) - torch.erf(lower * scale))


def gaussian_sample_matrix(
    fwhm: Float[Tensor, "*lead"],
    pixels: int,
    pixel_scale: float,
    supersampling: int,
    margin: int = 0,
) -> Float[Tensor, "*lead pixel cell"]:
    """Matrix along one axis from brightness at the cells' centres to flux per pixel, in arcsec.

    fwhm: arcsec. Cells are `pixel_scale / supersampling` wide and reach `margin` pixels beyond
    the stamp on either side. Each counts as a point of the cell's weight: for light that varies
    slowly over a cell, that sum is exact beyond every power of the cell's width. Light beyond
    the margin is taken to be as bright as its edge, so each row sums to the pixel's width.
    """
    cell = pixel_scale / supersampling
    cells = (pixels + 2 * margin) * supersampling
    count = cells + supersampling * (pixels - 1)
    offsets = (torch.arange(count, device=fwhm.device) - (count - 1) / 2).to(fwhm) * cell
    profile = _pixel_integral(offsets, (fwhm / FWHM_PER_SIGMA)[..., None], pixel_scale) * cell
    matrix = profile.unfold(-1, cells, supersampling).flip(-2)
    missing = pixel_scale - matrix.sum(-1)
    half = pixels // 2
    matrix[..., :half, 0] += missing[..., :half]
    matrix[..., half:, -1] += missing[..., half:]
    return matrix
