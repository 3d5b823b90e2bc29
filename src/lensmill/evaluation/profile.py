"""Profile: images of single Sérsic galaxies of unit flux through the PSF, many trials at once."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lensmill.grid import Grid
from lensmill.simulation.rendering import Sampling, galaxy_cells
from lensmill.simulation.scene import Sersic
from lensmill.units import axis_ratio_from_ellipticity


def trial_galaxies(parameters: Float[Tensor, "trial 6"]) -> Sersic:
    """One galaxy a trial, of x, y, ln R_e, ln n, e1, e2: where a fit is well behaved."""
    x, y, ln_radius, ln_index, e1, e2 = parameters[..., None].unbind(1)
    q, phi = axis_ratio_from_ellipticity(e1, e2)
    return Sersic(torch.zeros_like(x)[..., None], ln_radius.exp(), ln_index.exp(), q, phi, x, y)


@dataclass(frozen=True)
class Renderer:
    """Renders trials on `grid` through Gaussian PSFs, one for each band."""

    grid: Grid
    sampling: Sampling
    blur_y: Float[Tensor, "band y row"]
    blur_x: Float[Tensor, "band x column"]

    @classmethod
    def of(cls, grid: Grid, psf_fwhm: Float[Tensor, " band"], supersampling: int = 1) -> "Renderer":
        """The renderer of a stamp; psf_fwhm in arcsec."""
        sampling = Sampling(supersampling)
        return cls(grid, sampling, *sampling.blur(psf_fwhm, grid))

    def __call__(self, parameters: Float[Tensor, "trial 6"]) -> Float[Tensor, "trial band y x"]:
        """Unit-flux images."""
        flux = parameters.new_ones(len(parameters), 1, 1)
        fine = self.sampling.cells_of(self.grid)
        cells = galaxy_cells(trial_galaxies(parameters), flux, fine, self.sampling)
        return self.blur_y @ cells @ self.blur_x.mT
