"""Observing: draws the conditions under which each scene is seen."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor

from lensmill.physics.noise import sky_sigma
from lensmill.physics.surveys import Survey
from lensmill.simulation.counter import uniform
from lensmill.simulation.scene import Conditions

STREAM = 1

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Observing:
    """Conditions of `survey`, varied from scene to scene where a range is given.

    psf_fwhm: arcsec, uniform, shared by the bands but for `band_scatter` (relative).
    depth: the number of visits relative to the survey's own, log-uniform, shared by the bands.
    sky_scatter: mag, in sky brightness, per band.
    """

    survey: Survey
    psf_fwhm: tuple[float, float] | None = None
    depth: tuple[float, float] | None = None
    band_scatter: float = 0.0
    sky_scatter: float = 0.0

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands, in the order of every (batch, band) tensor."""
        return tuple(self.survey.bands)

    def draw(self, seed: int, indices: Int[Tensor, " batch"], pixel_scale: float) -> Conditions:
        """Conditions of the scenes `indices`: a function of (seed, index) alone."""
        bands = list(self.survey.bands.values())
        u = uniform(seed, indices.cpu(), STREAM, 2 + 2 * len(bands)).numpy()
        scatter = ndtri(u[:, 2:]).reshape(len(u), 2, len(bands))
        fwhm = self._fwhm(u[:, :1], scatter[:, 0])
        visits = self._visits(u[:, 1:2])
        brightness = _row(bands, "sky_brightness") + self.sky_scatter * scatter[:, 1]
        seconds = visits * _row(bands, "exposure_time")
        rate_zero = _row(bands, "zero_point")
        sky = 10 ** (-0.4 * (brightness - rate_zero)) * pixel_scale**2 * seconds
        reads = visits * _row(bands, "reads")
        sigma = sky_sigma(
            torch.from_numpy(sky),
            torch.from_numpy(_row(bands, "read_noise")),
            torch.from_numpy(reads),
        )
        zero_point = rate_zero + 2.5 * np.log10(seconds)
        return Conditions(
            psf_fwhm=torch.from_numpy(fwhm).to(indices.device, torch.float32),
            zero_point=torch.from_numpy(zero_point).to(indices.device, torch.float32),
            sky_sigma=sigma.to(indices.device, torch.float32),
        )

    def _fwhm(self, u: Array, scatter: Array) -> Array:
        own = _row(list(self.survey.bands.values()), "psf_fwhm")
        if self.psf_fwhm is None:
            centre = np.broadcast_to(own, scatter.shape)
        else:
            low, high = self.psf_fwhm
            centre = np.broadcast_to(low + (high - low) * u, scatter.shape)
        return centre * np.exp(self.band_scatter * scatter)

    def _visits(self, u: Array) -> Array:
        own = _row(list(self.survey.bands.values()), "visits")
        if self.depth is None:
            return np.broadcast_to(own, (len(u), own.shape[1]))
        low, high = self.depth
        return own * low * (high / low) ** u


def _row(bands: list, name: str) -> Array:  # type: ignore[type-arg]
    return np.array([[float(getattr(band, name)) for band in bands]])
