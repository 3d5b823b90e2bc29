"""Point spread functions of any shape, as spectra: elliptical Moffats, and images of a PSF.

Brightness at the centres of cells becomes flux in pixels through one product of Fourier
transforms: F[pixel] = p² · Σ over cells of brightness · cell² · (PSF ⊗ pixel)(pixel − cell), with
p the pixel's side and PSF ⊗ pixel, the PSF averaged over a pixel, of unit integral.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Complex, Float
from scipy.fft import next_fast_len
from torch import Tensor

from lensmill.grid import Grid

REACH = 4.0
"""arcsec by which a transform's period exceeds the cells.

Beyond half a period wings wrap around: light at one edge shines upon the opposite one as if it were
no farther away than this and the margin.
"""


def _kind(like: Tensor) -> dict[str, Any]:
    """Type and device of what is to go with `like`."""
    return {"dtype": like.dtype, "device": like.device}


@dataclass(frozen=True)
class Lattice:
    """Cells of a stamp and its margin, `supersampling` a pixel's side, `border` pixels around."""

    stamp: Grid
    supersampling: int
    border: int

    @property
    def cell(self) -> float:
        """Side of a cell, arcsec."""
        return self.stamp.pixel_scale / self.supersampling

    @property
    def period(self) -> tuple[int, int]:
        """Cells (y, x) after which the transforms repeat."""
        extra = math.ceil(REACH / self.cell)
        y, x = (
            next_fast_len((pixels + 2 * self.border) * self.supersampling + extra)
            for pixels in self.stamp.shape
        )
        return y, x

    @property
    def shift(self) -> float:
        """Of a pixel's centre from that of the cell before it, arcsec: 0 if they coincide."""
        return (self.supersampling - 1) % 2 * self.cell / 2

    def offsets(self, like: Tensor) -> tuple[Float[Tensor, " x"], Float[Tensor, "y 1"]]:
        """Pixel centres less cell centres, arcsec, in the order of a Fourier transform."""
        y, x = (
            torch.fft.fftfreq(count, 1 / (count * self.cell), **_kind(like)) + self.shift
            for count in self.period
        )
        return x, y[:, None]

    def frequencies(self, like: Tensor) -> tuple[Float[Tensor, " x"], Float[Tensor, " y"]]:
        """Cycles per arcsec of a real transform."""
        (y, x), kind = self.period, _kind(like)
        return torch.fft.rfftfreq(x, self.cell, **kind), torch.fft.fftfreq(y, self.cell, **kind)

    def flux(
        self, cells: Float[Tensor, "batch band y x"], spectrum: Complex[Tensor, "batch band v u"]
    ) -> Float[Tensor, "batch band yp xp"]:
        """Flux per pixel of the stamp through a PSF of `spectrum`; nothing shines beyond `cells`.

        So light that is farther off the stamp than the margin does not reach it.
        """
        blurred = torch.fft.irfft2(torch.fft.rfft2(cells, s=self.period) * spectrum, s=self.period)
        first = self.border * self.supersampling + (self.supersampling - 1) // 2
        y, x = (
            slice(first, first + pixels * self.supersampling, self.supersampling)
            for pixels in self.stamp.shape
        )
        return blurred[..., y, x] * self.stamp.pixel_scale**2


@dataclass(frozen=True)
class Moffat:
    """Elliptical Moffats: Σ ∝ (1 + r²/r_d²)^(−β), r² = q x² + y²/q; Moffat 1969.

    Their FWHM, on the product average of the axes, is the conditions' `psf_fwhm`.
    """

    beta: Float[Tensor, "batch band"]
    e1: Float[Tensor, "batch band"]  # (1−q)/(1+q) cos 2φ
    e2: Float[Tensor, "batch band"]

    def spectrum(
        self, fwhm: Float[Tensor, "batch band"], lattice: Lattice
    ) -> Complex[Tensor, "batch band v u"]:
        """Of the PSF averaged over a pixel; `fwhm` in arcsec."""
        x, y = lattice.offsets(fwhm)
        values = (fwhm, self.beta, self.e1, self.e2)
        profile = moffat_brightness(x, y, *(value[..., None, None] for value in values))
        u, v = (torch.sinc(f * lattice.stamp.pixel_scale) for f in lattice.frequencies(fwhm))
        return torch.fft.rfft2(profile) * (v[:, None] * u * lattice.cell**2)


def moffat_brightness(
    x: Float[Tensor, "..."],
    y: Float[Tensor, "..."],
    fwhm: Float[Tensor, "..."],
    beta: Float[Tensor, "..."],
    e1: Float[Tensor, "..."],
    e2: Float[Tensor, "..."],
) -> Tensor:
    """Brightness per arcsec² of a Moffat of unit flux, (x, y) arcsec from its centre.

    With e = (1−q)/(1+q): q x'² + y'²/q = ((1 + e²)(x² + y²) − 2 e₁ (x² − y²) − 4 e₂ x y)/(1 − e²).
    """
    squared_core = fwhm**2 / (4 * (2 ** (1 / beta) - 1))
    e = e1**2 + e2**2
    squared = (x**2) * (1 + e - 2 * e1) + (y**2) * (1 + e + 2 * e1) - x * y * (4 * e2)
    peak = (beta - 1) / (math.pi * squared_core)
    return peak * (1 + squared / (squared_core * (1 - e))) ** -beta


@dataclass(frozen=True)
class PsfImage:
    """Images of the PSF as its survey shows a star: averaged over pixels of `pixel_scale`.

    The middle of the image is the middle of the PSF; the unit does not matter.
    """

    image: Float[Tensor, "batch band v u"]
    pixel_scale: Float[Tensor, "batch band"]  # arcsec

    def spectrum(
        self, fwhm: Float[Tensor, "batch band"], lattice: Lattice
    ) -> Complex[Tensor, "batch band v u"]:
        """Of the PSF averaged over a pixel of `lattice`, no longer over one of the image.

        The image's own transform, hence without interpolation; nothing beyond the frequencies that
        its pixels can hold.
        """
        x, y = (self._waves(f, count, lattice) for f, count in self._axes(lattice))
        return y @ self._normalised().to(x.dtype) @ x.mT

    def _normalised(self) -> Tensor:
        return self.image / self.image.sum((-2, -1), keepdim=True)

    def _axes(self, lattice: Lattice) -> list[tuple[Tensor, int]]:
        v, u = self.image.shape[-2:]
        return list(zip(lattice.frequencies(self.image), (u, v), strict=True))

    def _waves(
        self, frequency: Float[Tensor, " f"], count: int, lattice: Lattice
    ) -> Complex[Tensor, "batch band f count"]:
        """exp(−2πi f x) of the image's pixels, times the ratio of the two pixels' transforms."""
        scale = self.pixel_scale[..., None]
        steps = torch.arange(count, **_kind(scale)) - (count - 1) / 2
        place = steps * scale - lattice.shift
        turns = frequency[:, None] * place[..., None, :]
        held = frequency.abs() * scale < 0.5
        own = torch.sinc(torch.where(held, frequency * scale, 0.0))
        size = torch.where(held, torch.sinc(frequency * lattice.stamp.pixel_scale) / own, 0.0)
        return torch.polar(size[..., None].expand_as(turns), -2 * math.pi * turns)
