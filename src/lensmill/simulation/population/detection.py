"""Detection: would a survey find this lens? The rules of LensPop (Collett 2015)."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import bdtrik, ndtr, ndtri

from lensmill.physics.psf import FWHM_PER_SIGMA
from lensmill.physics.surveys import Band, Survey
from lensmill.simulation.population.pairs import Pairs
from lensmill.simulation.population.rows import chosen_rows
from lensmill.simulation.population.tracing import (
    Traced,
    blurred,
    cells,
    cumulative_snr,
    lens_light,
    traced,
)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Coadd:
    """What of each band's visits is added up, (pair, band)."""

    share: Array  # of the visits
    seeing: Array  # arcsec, to which all are blurred


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
    pixel: float | None = None
    """arcsec, sample sources at the centres of pixels: LensPop does, at 0.18, which makes the
    magnification of sources below 0.1″ noise; None: finely enough for each."""

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
        image = traced(pairs, self.pixel)
        magnification = image.flux.sum((1, 2)).double().numpy()
        coadd = self.coadd(pairs, magnification, u[:, 1:])
        resolved = coadd.seeing <= self._resolved(pairs, magnification)[:, None]
        seen = resolved.any(1) & (magnification > self.magnification)
        seen &= self._largest_snr(pairs, magnification, coadd).max(1) > self.signal_to_noise
        rows = np.flatnonzero(seen)
        image, chosen, of_rows = (chosen_rows(each, rows) for each in (image, pairs, coadd))
        snr = self.snr(image, chosen, of_rows, lens_magnitude[rows], lens_radius[rows])
        best = np.take_along_axis(resolved[rows], snr.argmax(1)[:, None], 1)[:, 0]
        seen[rows] = best & (snr.max(1) > self.signal_to_noise)
        return seen, magnification

    def coadd(self, pairs: Pairs, magnification: Array, u: Array) -> Coadd:
        """The visits that count, from uniforms (pair, `uniforms` − 1)."""
        radius = pairs.source.half_light_radius
        limit = np.minimum(resolving(pairs.theta_E, radius, 2), magnification * radius)
        limit = np.full_like(limit, np.inf) if self.full_coadd else limit
        number, worst = np.split(u, 2, axis=1)
        below = np.maximum(self._below(limit), 1e-9)
        count = np.ceil(bdtrik(number, self._visits, np.minimum(below, 1 - 1e-9)))
        count = np.clip(count, 0, self._visits)
        rank = below * worst ** (1 / np.maximum(count, 1))
        seeing = self.seeing * np.exp(self.seeing_scatter * ndtri(rank))
        return Coadd(count / self._visits, seeing)

    def snr(
        self, image: Traced, pairs: Pairs, coadd: Coadd, lens_magnitude: Array, lens_radius: Array
    ) -> Array:
        """S/N over each band's brightest cells, (pair, band); the noise of the lens counts."""
        galaxy, area = lens_light(image, pairs, lens_radius), (image.cell**2)[:, None, None]
        source = self._electrons(_source_magnitude(pairs), coadd)
        lens, background = self._electrons(lens_magnitude, coadd), self._background(coadd)
        found = np.zeros_like(source)
        for band, fwhm in enumerate(torch.from_numpy(coadd.seeing.T.copy()).float()):
            signal = blurred(image.flux, image.cell, fwhm) * cells(source[:, band])
            light = blurred(galaxy, image.cell, fwhm) * cells(lens[:, band])
            snr = cumulative_snr(signal, signal + light + cells(background[:, band]) * area)
            found[:, band] = np.where(coadd.share[:, band] > 0, snr.double().numpy(), 0.0)
        return found

    def _largest_snr(self, pairs: Pairs, magnification: Array, coadd: Coadd) -> Array:
        """What the S/N of each band cannot exceed: of a point as bright, on the sky alone."""
        flux = magnification[:, None] * self._electrons(_source_magnitude(pairs), coadd)
        area = 4 * np.pi * (coadd.seeing / FWHM_PER_SIGMA) ** 2
        return np.minimum(np.sqrt(flux), flux / np.sqrt(area * self._background(coadd)))

    def _resolved(self, pairs: Pairs, magnification: Array) -> Array:
        """Seeing in arcsec at which the ring and the arcs are resolved."""
        radius = pairs.source.half_light_radius
        return np.minimum(resolving(pairs.theta_E, radius, 4), magnification * radius)

    def _below(self, limit: Array) -> Array:
        """Share of each band's visits with a seeing below `limit` arcsec, (pair, band)."""
        logarithm = np.log(np.maximum(limit, 1e-3)[:, None] / self.seeing)
        return np.asarray(ndtr(logarithm / self.seeing_scatter))

    def _electrons(self, magnitude: Array, coadd: Coadd) -> Array:
        """Of sources of `magnitude` (pair, band) in the coadd."""
        visit = np.array([band.total_zero_point(1.0) for band in self._bands])
        return np.asarray(coadd.share * self._visits * 10 ** (-0.4 * (magnitude - visit)))

    def _background(self, coadd: Coadd) -> Array:
        """Variance of the coadd's sky and reads, e⁻ per arcsec², (pair, band).

        Every visit is read, whether it counts or not, as LensPop has it.
        """
        sky = np.array([band.sky(1.0, band.visits) for band in self._bands])
        read = np.array([band.visits * band.reads * band.read_noise**2 for band in self._bands])
        return np.asarray(coadd.share * sky + read / self.survey.pixel_scale**2)

    @property
    def _visits(self) -> Array:
        return np.array([float(band.visits) for band in self._bands])

    @property
    def _bands(self) -> list[Band]:
        each = zip(self.survey.bands.values(), self.sky_brightness, strict=True)
        return [replace(band, sky_brightness=sky) for band, sky in each]


def _source_magnitude(pairs: Pairs) -> Array:
    return np.stack([pairs.source.g, pairs.source.r, pairs.source.i], 1)


def resolving(theta_E: Array, radius: Array, times: float) -> Array:
    """√(2 θ_E² − `times` r_s²) in arcsec, 0 where there is no root."""
    return np.asarray(np.sqrt(np.maximum(2 * theta_E**2 - times * radius**2, 0)))
