"""Tracing: coarse images of lensed sources, to tell what a survey would detect.

Each source is traced on a grid scaled to its θ_E; magnification and signal to noise come from it.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from lensmill.physics.lens import sie_deflection
from lensmill.physics.light import elliptical_radius_squared, sersic_brightness
from lensmill.physics.psf import FWHM_PER_SIGMA
from lensmill.simulation.population.pairs import Pairs

Array = NDArray[np.float64]

CELLS = 48
"""Along a side of the grid."""
REACH = 2.2
"""Half-width of the grid in θ_E, to which two source radii are added."""
SMALLEST = 0.5
"""Of a cell; smaller sources are traced as if of this size."""
PIXELS = 61
"""Along a side where sources are sampled at pixels; odd, as in LensPop: the lens is on a centre."""


@dataclass(frozen=True)
class Traced:
    """Lensed sources of unit flux, on grids of their own; the lens' long axis along x."""

    flux: Float[Tensor, "pair y x"]  # in each cell
    x: Float[Tensor, "pair 1 x"]  # arcsec
    y: Float[Tensor, "pair y 1"]
    cell: Float[Tensor, " pair"]  # arcsec


def traced(pairs: Pairs, pixel: float | None = None) -> Traced:
    """The sources behind their deflectors; each source's long axis as `pairs` says.

    pixel: arcsec, sample sources at the centres of such pixels, however small they are.
    """
    source, radius = pairs.source, pairs.source.half_light_radius
    cell = (REACH * pairs.theta_E + 2 * radius) * 2 / CELLS
    radius, count = np.maximum(radius, SMALLEST * cell), CELLS
    if pixel is not None:
        cell, radius, count = np.full_like(cell, pixel), source.half_light_radius, PIXELS
    steps = torch.arange(count) - (count - 1) / 2
    x = cells(cell) * steps
    y = x.mT
    theta_E, q, q_source, phi, x0, y0 = map(
        cells, (pairs.theta_E, pairs.q_lens, source.q, pairs.phi_source, pairs.x, pairs.y)
    )
    size = cells(radius)
    alpha_x, alpha_y = sie_deflection(x, y, theta_E, q, torch.zeros_like(q))
    squared = elliptical_radius_squared(x - alpha_x - x0, y - alpha_y - y0, q_source, phi)
    brightness = sersic_brightness(squared, size, torch.ones_like(size))
    return Traced(brightness * cells(cell) ** 2, x, y, torch.from_numpy(cell).float())


def cells(values: Array) -> Float[Tensor, "pair 1 1"]:
    return torch.from_numpy(values).float()[:, None, None]


def lens_light(image: Traced, pairs: Pairs, radius: Array) -> Float[Tensor, "pair y x"]:
    """Unit flux of the lens galaxy (n = 4) in each cell; radius: arcsec."""
    q = cells(pairs.q_lens)
    squared = elliptical_radius_squared(image.x, image.y, q, torch.zeros_like(q))
    squared = squared + (image.cell**2)[:, None, None] / 4  # the cusp, about averaged
    brightness = sersic_brightness(squared, cells(radius), torch.full_like(q, 4.0))
    return brightness * (image.cell**2)[:, None, None]


def blurred(
    image: Float[Tensor, "pair y x"], cell: Float[Tensor, " pair"], fwhm: Float[Tensor, " pair"]
) -> Float[Tensor, "pair y x"]:
    """`image` through a Gaussian PSF; cells and FWHM in arcsec."""
    steps = torch.arange(image.shape[-1]).float()
    distance = (steps[:, None] - steps) * cell[:, None, None]
    kernel = torch.exp(-0.5 * (distance * FWHM_PER_SIGMA / fwhm[:, None, None]) ** 2)
    kernel = kernel / kernel.sum(-1, keepdim=True)
    return kernel @ image @ kernel.mT


def cumulative_snr(
    signal: Float[Tensor, "pair y x"], variance: Float[Tensor, "pair y x"]
) -> Float[Tensor, " pair"]:
    """The largest S/N of any number of cells, the best first (LensPop's definition)."""
    signal, variance = signal.flatten(1), variance.flatten(1)
    # numpy sorts floats three times as fast as torch.
    order = torch.from_numpy(np.argsort(-(signal**2 / variance).numpy(), 1))
    total = signal.gather(1, order).cumsum(1)
    return (total / variance.gather(1, order).cumsum(1).sqrt()).amax(1)
