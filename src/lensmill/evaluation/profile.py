"""Profile: images of single Sérsic galaxies of unit flux through the PSF, many trials at once."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lensmill.grid import Grid
from lensmill.physics.cells import block_around, refine
from lensmill.physics.light import (
    elliptical_radius_squared,
    sersic_brightness,
    sersic_core_excess,
)
from lensmill.physics.psf import gaussian_blur_matrix, gaussian_point
from lensmill.units import axis_ratio_from_ellipticity

REFINEMENT = 8
CENTRAL = 8
"""The width, in cells, of the block on the galaxy's centre whose cells are refined."""


@dataclass(frozen=True)
class Trials:
    """Sérsic galaxies, one a row; all (trial, 1), to broadcast over points."""

    x: Float[Tensor, "trial 1"]  # arcsec from the stamp's centre
    y: Float[Tensor, "trial 1"]
    half_light_radius: Float[Tensor, "trial 1"]  # arcsec, product average of the axes
    index: Float[Tensor, "trial 1"]
    q: Float[Tensor, "trial 1"]
    phi: Float[Tensor, "trial 1"]  # radian from +x

    @classmethod
    def of(cls, parameters: Float[Tensor, "trial 6"]) -> "Trials":
        """From x, y, ln R_e, ln n, e1, e2: the coordinates in which a fit is well behaved."""
        x, y, ln_radius, ln_index, e1, e2 = parameters[..., None].unbind(1)
        return cls(x, y, ln_radius.exp(), ln_index.exp(), *axis_ratio_from_ellipticity(e1, e2))

    def brightness(self, x: Tensor, y: Tensor, core: float) -> Tensor:
        """Brightness, arcsec⁻², of unit flux; held at its value at `core` (arcsec) inside it."""
        squared = elliptical_radius_squared(x - self.x, y - self.y, self.q, self.phi)
        squared = squared.clamp(min=core**2)
        return sersic_brightness(squared, self.half_light_radius, self.index)


@dataclass(frozen=True)
class Renderer:
    """Renders trials on `grid` through Gaussian PSFs, one for each band."""

    grid: Grid
    psf_fwhm: Float[Tensor, " band"]  # arcsec
    blur_y: Float[Tensor, "band y row"]
    blur_x: Float[Tensor, "band x column"]
    supersampling: int = 1

    @classmethod
    def of(cls, grid: Grid, psf_fwhm: Float[Tensor, " band"], supersampling: int = 1) -> "Renderer":
        """The renderer of a stamp."""
        y, x = (
            gaussian_blur_matrix(psf_fwhm, pixels, grid.pixel_scale, supersampling)
            for pixels in grid.shape
        )
        return cls(grid, psf_fwhm, y, x, supersampling)

    def __call__(self, parameters: Float[Tensor, "trial 6"]) -> Float[Tensor, "trial band y x"]:
        """Unit-flux images; the refined block is the first trial's, so that small differences
        between trials are smooth."""
        trials = Trials.of(parameters)
        fine = self.grid.supersampled(self.supersampling)
        core = fine.pixel_scale / REFINEMENT

        def brightness(x: Tensor, y: Tensor) -> Tensor:
            return trials.brightness(x, y, core)

        x, y = (each.reshape(1, -1) for each in fine.coordinates(dtype=parameters.dtype))
        block, valid = block_around(parameters[:1, 0], parameters[:1, 1], fine, CENTRAL)
        block, valid = (each.expand(len(parameters), -1) for each in (block, valid))
        cells = refine(brightness(x, y), block, valid, brightness, fine, REFINEMENT)
        smooth = self.blur_y @ cells.unflatten(1, fine.shape)[:, None] @ self.blur_x.mT
        return smooth + self._points(trials, core)

    def _points(self, trials: Trials, core: float) -> Float[Tensor, "trial band y x"]:
        """The flux that the flat core cut off, as PSF-shaped points."""
        radius = trials.half_light_radius
        cut = sersic_core_excess(torch.full_like(radius, core), radius, trials.index)
        fwhm = self.psf_fwhm.expand(len(cut), -1)
        rows, columns = self.grid.shape
        scale = self.grid.pixel_scale
        y = gaussian_point(fwhm, trials.y.expand_as(fwhm), rows, scale) * cut[..., None]
        x = gaussian_point(fwhm, trials.x.expand_as(fwhm), columns, scale)
        return y[..., :, None] * x[..., None, :]
