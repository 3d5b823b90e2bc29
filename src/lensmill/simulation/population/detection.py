"""Detection: would a survey find this lens? The rules of Collett 2015, on coarsely traced images.

Each source is traced on a grid scaled to its θ_E; magnification and signal to noise come from it.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from torch import Tensor

from lensmill.physics.lens import sie_deflection
from lensmill.physics.light import elliptical_radius_squared, sersic_brightness
from lensmill.physics.psf import FWHM_PER_SIGMA
from lensmill.physics.surveys import Survey
from lensmill.simulation.population.pairs import Pairs

Array = NDArray[np.float64]

CELLS = 48
"""Along a side of the grid."""
REACH = 2.2
"""Half-width of the grid in θ_E, to which two source radii are added."""
SMALLEST = 0.005
"""arcsec; smaller sources are traced as if of this size."""


@dataclass(frozen=True)
class Rules:
    """When a lens counts as seen: S/N in the best band, magnification, and resolved arcs.

    The coadd takes the visits that resolve the ring, whose seeing is below θ_E − r_s: this, not
    θ_E² > r_s² + (seeing/2)², is where the published list ends.
    seeing: median of the visits, arcsec; seeing_scatter: of its logarithm; sharpest: the share of
    the visits whose worst seeing must be below μ r_s. visits: the share of the survey's visits
    that count, calibrated on the S/N in the list.
    """

    survey: Survey
    seeing: float = 0.7
    seeing_scatter: float = 0.2
    sharpest: float = 0.02
    visits: float = 0.55
    signal_to_noise: float = 20.0
    magnification: float = 3.0

    def coadd(self, pairs: Pairs) -> tuple[Array, Array]:
        """The share of the visits that resolve the ring, and their median seeing in arcsec."""
        limit = np.maximum(pairs.theta_E - pairs.source.half_light_radius, 1e-3)
        share = ndtr(np.log(limit / self.seeing) / self.seeing_scatter)
        return share, self.best_seeing(share / 2)

    def best_seeing(self, share: Array | float) -> Array:
        """Seeing in arcsec that a `share` of all visits stays below."""
        return np.asarray(
            self.seeing * np.exp(self.seeing_scatter * ndtri(np.maximum(share, 1e-6)))
        )

    def may_pass(self, pairs: Pairs) -> NDArray[np.bool_]:
        """False where the ring is unresolved, or nothing could magnify the source enough."""
        share, _ = self.coadd(pairs)
        bound = 3 * 2 * pairs.theta_E / np.hypot(pairs.x, pairs.y)
        return (share > 0.01) & (
            bound * pairs.source.half_light_radius > self.best_seeing(self.sharpest)
        )

    def passes(
        self, pairs: Pairs, lens_magnitude: Array, lens_radius: Array
    ) -> tuple[NDArray[np.bool_], Array]:
        """(seen, magnification). lens_magnitude: (pair, band), lens_radius: arcsec."""
        image = traced(pairs)
        share, seeing = self.coadd(pairs)
        magnification = image.flux.sum((1, 2)).double().numpy()
        sharp = self.best_seeing(self.sharpest)
        arcs = magnification * pairs.source.half_light_radius > sharp
        snr = self.best_snr(image, pairs, lens_magnitude, lens_radius, share, seeing)
        enough = (snr > self.signal_to_noise) & (magnification > self.magnification)
        return arcs & enough, magnification

    def best_snr(
        self,
        image: "Traced",
        pairs: Pairs,
        lens_magnitude: Array,
        lens_radius: Array,
        share: Array,
        seeing: Array,
    ) -> Array:
        """The best band's largest S/N over the brightest cells; the lens' noise counts."""
        fwhm = torch.from_numpy(seeing).float()
        source = blurred(image.flux, image.cell, fwhm)
        lens = blurred(_lens_light(image, pairs, lens_radius), image.cell, fwhm)
        source_magnitude = np.stack([pairs.source.g, pairs.source.r, pairs.source.i], 1)
        best = np.zeros(len(seeing))
        for number, band in enumerate(self.survey.bands.values()):
            visits = self.visits * band.visits
            zero_point = band.total_zero_point(visits)
            noise = band.sky(1.0, visits)
            noise += visits * band.reads * band.read_noise**2 / self.survey.pixel_scale**2
            signal = source * _electrons(source_magnitude[:, number], zero_point)
            light = lens * _electrons(lens_magnitude[:, number], zero_point)
            variance = signal + light + noise * (image.cell**2)[:, None, None]
            best = np.maximum(best, cumulative_snr(signal, variance).double().numpy())
        return best * np.sqrt(share)


@dataclass(frozen=True)
class Traced:
    """Lensed sources of unit flux, on grids of their own; the lens' long axis along x."""

    flux: Float[Tensor, "pair y x"]  # in each cell
    x: Float[Tensor, "pair 1 x"]  # arcsec
    y: Float[Tensor, "pair y 1"]
    cell: Float[Tensor, " pair"]  # arcsec


def traced(pairs: Pairs) -> Traced:
    """The sources behind their deflectors; each source's long axis as `pairs` says."""
    source = pairs.source
    radius = np.maximum(source.half_light_radius, SMALLEST)
    cell = (REACH * pairs.theta_E + 2 * radius) * 2 / CELLS
    steps = torch.arange(CELLS) - (CELLS - 1) / 2
    x = _cells(cell) * steps
    y = x.mT
    theta_E, q, q_source, phi, x0, y0 = map(
        _cells, (pairs.theta_E, pairs.q_lens, source.q, pairs.phi_source, pairs.x, pairs.y)
    )
    size = _cells(radius)
    alpha_x, alpha_y = sie_deflection(x, y, theta_E, q, torch.zeros_like(q))
    squared = elliptical_radius_squared(x - alpha_x - x0, y - alpha_y - y0, q_source, phi)
    brightness = sersic_brightness(squared, size, torch.ones_like(size))
    return Traced(brightness * _cells(cell) ** 2, x, y, torch.from_numpy(cell).float())


def _cells(values: Array) -> Float[Tensor, "pair 1 1"]:
    return torch.from_numpy(values).float()[:, None, None]


def _electrons(magnitude: Array, zero_point: float) -> Float[Tensor, "pair 1 1"]:
    return _cells(10 ** (-0.4 * (magnitude - zero_point)))


def _lens_light(image: Traced, pairs: Pairs, radius: Array) -> Float[Tensor, "pair y x"]:
    q = _cells(pairs.q_lens)
    squared = elliptical_radius_squared(image.x, image.y, q, torch.zeros_like(q))
    squared = squared + (image.cell**2)[:, None, None] / 4  # the cusp, about averaged
    brightness = sersic_brightness(squared, _cells(radius), torch.full_like(q, 4.0))
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
    order = (signal**2 / variance).argsort(1, descending=True)
    total = signal.gather(1, order).cumsum(1)
    return (total / variance.gather(1, order).cumsum(1).sqrt()).amax(1)
