"""Observing: draws the conditions under which each scene is seen."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor

from lensmill.physics.kernels import Moffat, PsfImage
from lensmill.physics.noise import sky_sigma
from lensmill.physics.surveys import Survey
from lensmill.simulation.counter import uniform
from lensmill.simulation.psf_library import PsfLibrary
from lensmill.simulation.scene import Conditions, mapped
from lensmill.simulation.visits import Coadd, draw_coadd, visit_quantiles

STREAM = 1
PSF_STREAM = 11
MOST_ELLIPTICAL = 0.5
"""Largest (1−q)/(1+q) of a PSF: beyond it nobody observes."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Observing:
    """Conditions of `survey`, varied from scene to scene where a range is given.

    psf_fwhm: arcsec, uniform, shared by the bands but for `band_scatter` (relative).
    seeing: a factor on every FWHM but those of PSF images.
    depth: the number of visits relative to the survey's own, log-uniform, shared by the bands.
    sky_scatter: mag, in sky brightness, per band.
    visits: seeing and sky of every band follow from LSST visits, as many as the depth says.
    moffat: range of β, uniform per band; None: round Gaussians. psf_ellipticity: its e1 and e2
    scatter by this, per band, up to |e| = 0.5.
    psf_images: the PSFs to draw from, one per band; their FWHM is what their images show.
    bad_pixels: share of bad pixels, filled as those of a survey's image.
    resampled: noise is shared between neighbours, as in coadds of resampled exposures.
    """

    survey: Survey
    psf_fwhm: tuple[float, float] | None = None
    depth: tuple[float, float] | None = None
    band_scatter: float = 0.0
    sky_scatter: float = 0.0
    visits: bool = False
    moffat: tuple[float, float] | None = None
    psf_ellipticity: float = 0.0
    psf_images: PsfLibrary | None = None
    bad_pixels: float = 0.0
    resampled: bool = False
    seeing: float = 1.0

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands, in the order of every (batch, band) tensor."""
        return tuple(self.survey.bands)

    def draw(self, seed: int, indices: Int[Tensor, " batch"], pixel_scale: float) -> Conditions:
        """Conditions of the scenes `indices`: a function of (seed, index) alone."""
        bands = list(self.survey.bands.values())
        coadd = self._coadd(seed, indices)
        seconds = coadd.visits * _row(bands, "exposure_time")
        rate_zero = _row(bands, "zero_point")
        sky = 10 ** (-0.4 * (coadd.sky_brightness - rate_zero)) * pixel_scale**2 * seconds
        reads = coadd.visits * _row(bands, "reads")
        sigma = sky_sigma(
            torch.from_numpy(sky),
            torch.from_numpy(_row(bands, "read_noise")),
            torch.from_numpy(reads),
        )
        zero_point = rate_zero + 2.5 * np.log10(seconds)
        fwhm, psf = self._psf(seed, indices, torch.from_numpy(self.seeing * coadd.psf_fwhm))
        conditions = Conditions(
            psf_fwhm=fwhm, zero_point=torch.from_numpy(zero_point), sky_sigma=sigma, psf=psf
        )
        return mapped(conditions, lambda value: value.to(indices.device, torch.float32))

    def _coadd(self, seed: int, indices: Tensor) -> Coadd:
        """Seeing, sky and visits, (batch, band)."""
        bands = list(self.survey.bands.values())
        u = uniform(seed, indices.cpu(), STREAM, 2 + 2 * len(bands)).numpy()
        visits = self._visits(u[:, 1:2])
        if self.visits:
            return draw_coadd(seed, indices, self.bands, visits, self._most_visits)
        scatter = ndtri(u[:, 2:]).reshape(len(u), 2, len(bands))
        brightness = _row(bands, "sky_brightness") + self.sky_scatter * scatter[:, 1]
        return Coadd(self._fwhm(u[:, :1], scatter[:, 0]), brightness, visits)

    def _psf(
        self, seed: int, indices: Tensor, fwhm: Tensor
    ) -> tuple[Tensor, Moffat | PsfImage | None]:
        """FWHM and shape; that of images is their own."""
        u = uniform(seed, indices.cpu(), PSF_STREAM, 3 * len(self.bands))
        first, *others = u.unflatten(1, (3, -1)).unbind(1)
        if self.psf_images is not None:
            image, fwhm = self.psf_images.draw(first)
            return fwhm, image
        if self.moffat is None:
            return fwhm, None
        low, high = self.moffat
        e1, e2 = (self.psf_ellipticity * torch.special.ndtri(value) for value in others)
        shrink = (MOST_ELLIPTICAL / torch.hypot(e1, e2)).clamp(max=1)
        return fwhm, Moffat(low + (high - low) * first, e1 * shrink, e2 * shrink)

    def _fwhm(self, u: Array, scatter: Array) -> Array:
        own = _row(list(self.survey.bands.values()), "psf_fwhm")
        if self.psf_fwhm is None:
            centre = np.broadcast_to(own, scatter.shape)
        else:
            low, high = self.psf_fwhm
            centre = np.broadcast_to(low + (high - low) * u, scatter.shape)
        return centre * np.exp(self.band_scatter * scatter)

    @property
    def sharpest(self) -> float:
        """FWHM in arcsec that hardly any scene's PSF is below."""
        if self.psf_images is not None:
            return min(float(fwhm.min()) for fwhm in self.psf_images.fwhm)
        if self.visits:
            return self.seeing * min(float(visit_quantiles(band)[1][0]) for band in self.bands)
        own = min(band.psf_fwhm for band in self.survey.bands.values())
        sharpest = self.seeing * (self.psf_fwhm[0] if self.psf_fwhm else own)
        return sharpest * math.exp(-2 * self.band_scatter)

    @property
    def gaussian(self) -> bool:
        """Are all PSFs round Gaussians, of widths that are asked for?"""
        return not (self.visits or self.moffat) and self.psf_images is None

    @property
    def _most_visits(self) -> int:
        """Of any band of any scene."""
        own = max(band.visits for band in self.survey.bands.values())
        return math.ceil(own * (self.depth[1] if self.depth else 1))

    def _visits(self, u: Array) -> Array:
        own = _row(list(self.survey.bands.values()), "visits")
        if self.depth is None:
            return np.broadcast_to(own, (len(u), own.shape[1]))
        low, high = self.depth
        return own * low * (high / low) ** u


def _row(bands: list, name: str) -> Array:  # type: ignore[type-arg]
    return np.array([[float(getattr(band, name)) for band in bands]])
