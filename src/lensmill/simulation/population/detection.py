"""Detection: would a survey find this lens? The rules of Collett 2015, on coarsely traced images.

Each source is traced on a grid scaled to its θ_E; magnification and signal to noise come from it.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.special import bdtrik, ndtr, ndtri
from torch import Tensor

from lensmill.physics.lens import sie_deflection
from lensmill.physics.light import elliptical_radius_squared, sersic_brightness
from lensmill.physics.psf import FWHM_PER_SIGMA
from lensmill.physics.surveys import Band, Survey
from lensmill.simulation.population.pairs import Pairs

Array = NDArray[np.float64]

CELLS = 48
"""Along a side of the grid."""
REACH = 2.2
"""Half-width of the grid in θ_E, to which two source radii are added."""
SMALLEST = 0.5
"""Of a cell; smaller sources are traced as if of this size."""


@dataclass(frozen=True)
class Rules:
    """When a lens counts as seen: S/N in the best band, magnification, and resolved arcs.

    Of each band's visits the coadd takes those whose seeing is below √2 √(θ_E² − r_s²) and below
    μ r_s, all blurred to the worst of them; seen are arcs with 2 θ_E² ≥ 4 r_s² + seeing² of the
    best band's coadd. These are LensPop's rules, which the published list obeys; the text of
    Collett 2015 (θ_E² > r_s² + (seeing/2)²) is softer.
    seeing: median of each band's visits, arcsec; seeing_scatter: of its logarithm;
    sky_brightness: mag/arcsec², mean of the visits. The visits that LensPop drew are not public:
    these numbers reproduce the S/N in its list (`benchmarks/population.py`).
    """

    survey: Survey
    seeing: tuple[float, ...] = (0.80, 0.755, 0.74)
    seeing_scatter: float = 0.24
    sky_brightness: tuple[float, ...] = (21.50, 20.92, 19.93)
    signal_to_noise: float = 20.0
    magnification: float = 3.0
    full_coadd: bool = False
    """All visits count, blurred to the worst (LensPop's LSSTa); else those that resolve (LSSTc)."""

    @property
    def uniforms(self) -> int:
        """How many random numbers the visits of a pair take."""
        return 1 + 2 * len(self.survey.bands)

    def may_pass(self, pairs: Pairs, u: Array) -> NDArray[np.bool_]:
        """A first look, before the magnification is known; u: uniforms (pair,).

        LensPop drops a ring here unless, in some band, no visit that is sharp enough to count
        would leave it unresolved.
        """
        radius = pairs.source.half_light_radius
        sharp, kept = (resolving(pairs.theta_E, radius, times) for times in (2, 4))
        largest = 3 * 2 * pairs.theta_E / np.hypot(pairs.x, pairs.y)
        if self.full_coadd:
            return (self._below(np.minimum(kept, largest * radius)) ** self._visits).max(1) > 1e-3
        missed = np.prod(1 - (1 - self._below(sharp) + self._below(kept)) ** self._visits, axis=1)
        some = self._below(np.minimum(sharp, largest * radius)).max(1) > 1e-3
        return (kept > 0) & (u > missed) & some

    def passes(
        self, pairs: Pairs, lens_magnitude: Array, lens_radius: Array, u: Array
    ) -> tuple[NDArray[np.bool_], Array]:
        """(seen, magnification). lens_magnitude: (pair, band), lens_radius: arcsec,
        u: uniforms (pair, `uniforms`)."""
        image = traced(pairs)
        magnification = image.flux.sum((1, 2)).double().numpy()
        share, seeing = self.coadd(pairs, magnification, u[:, 1:])
        snr = self.snr(image, pairs, lens_magnitude, lens_radius, share, seeing)
        best = snr.argmax(1)[:, None]
        blurred_to = np.take_along_axis(seeing, best, 1)[:, 0]
        radius = pairs.source.half_light_radius
        limit = np.minimum(resolving(pairs.theta_E, radius, 4), magnification * radius)
        resolved, seen = blurred_to <= limit, snr.max(1) > self.signal_to_noise
        return seen & resolved & (magnification > self.magnification), magnification

    def coadd(self, pairs: Pairs, magnification: Array, u: Array) -> tuple[Array, Array]:
        """Share of each band's visits that count, and the worst seeing of them, (pair, band)."""
        radius = pairs.source.half_light_radius
        limit = np.minimum(resolving(pairs.theta_E, radius, 2), magnification * radius)
        limit = np.full_like(limit, np.inf) if self.full_coadd else limit
        number, worst = np.split(u, 2, axis=1)
        below = np.maximum(self._below(limit), 1e-9)
        count = np.ceil(bdtrik(number, self._visits, np.minimum(below, 1 - 1e-9)))
        count = np.clip(count, 0, self._visits)
        rank = below * worst ** (1 / np.maximum(count, 1))
        return count / self._visits, self.seeing * np.exp(self.seeing_scatter * ndtri(rank))

    def _below(self, limit: Array) -> Array:
        """Share of each band's visits with a seeing below `limit` arcsec, (pair, band)."""
        logarithm = np.log(np.maximum(limit, 1e-3)[:, None] / self.seeing)
        return np.asarray(ndtr(logarithm / self.seeing_scatter))

    def snr(
        self,
        image: "Traced",
        pairs: Pairs,
        lens_magnitude: Array,
        lens_radius: Array,
        share: Array,
        seeing: Array,
    ) -> Array:
        """S/N over the brightest cells of each band's coadd, (pair, band); the lens' noise counts.

        Every visit is read, whether it counts or not, as LensPop has it.
        """
        galaxy = _lens_light(image, pairs, lens_radius)
        magnitude = np.stack([pairs.source.g, pairs.source.r, pairs.source.i], 1)
        found = np.zeros_like(share)
        for number, band in enumerate(self._bands):
            fwhm = torch.from_numpy(seeing[:, number]).float()
            counts = share[:, number] * band.visits
            zero_point = band.total_zero_point(1.0) + 2.5 * np.log10(np.maximum(counts, 1e-3))
            read = band.visits * band.reads * band.read_noise**2 / self.survey.pixel_scale**2
            sky = _cells(counts * band.sky(1.0, 1.0) + read) * (image.cell**2)[:, None, None]
            signal = _seen(image.flux, image, fwhm, magnitude[:, number] - zero_point)
            light = _seen(galaxy, image, fwhm, lens_magnitude[:, number] - zero_point)
            snr = cumulative_snr(signal, signal + light + sky).double().numpy()
            found[:, number] = np.where(counts > 0, snr, 0.0)
        return found

    @property
    def _visits(self) -> Array:
        return np.array([float(band.visits) for band in self._bands])

    @property
    def _bands(self) -> list[Band]:
        each = zip(self.survey.bands.values(), self.sky_brightness, strict=True)
        return [replace(band, sky_brightness=sky) for band, sky in each]


def resolving(theta_E: Array, radius: Array, times: float) -> Array:
    """√(2 θ_E² − `times` r_s²) in arcsec, 0 where there is no root."""
    return np.asarray(np.sqrt(np.maximum(2 * theta_E**2 - times * radius**2, 0)))


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
    cell = (REACH * pairs.theta_E + 2 * source.half_light_radius) * 2 / CELLS
    radius = np.maximum(source.half_light_radius, SMALLEST * cell)
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


def _seen(
    light: Tensor, image: Traced, fwhm: Tensor, magnitude: Array
) -> Float[Tensor, "pair y x"]:
    """Electrons of `light` of unit flux, `magnitude` relative to the zero point, in seeing."""
    return blurred(light, image.cell, fwhm) * _cells(10 ** (-0.4 * magnitude))


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
