"""Rendering: images of scenes through their PSFs.

Galaxies: brightness with a soft core on a grid of cells, and what the core lacks as rings of
points. The lensed source: brightness on the same grid, refined where it varies most. The cells'
light is blurred, cropped and summed into pixels by one matrix for each axis and band where the PSF
is a round Gaussian, and by Fourier transforms where it has another shape.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from lensmill.grid import Grid
from lensmill.physics.epl import epl_deflection, shear_deflection
from lensmill.physics.kernels import Lattice
from lensmill.physics.lens import rotate, sie_deflection_aligned
from lensmill.physics.light import (
    cusp_rings,
    elliptical_radius_squared,
    sersic_brightness,
    soft_core,
)
from lensmill.physics.psf import gaussian_sample_matrix
from lensmill.physics.quadrature import Levels, Light
from lensmill.physics.refinement import add_points, refined_cells
from lensmill.simulation.scene import Conditions, Mass, Scene, Sersic, mapped
from lensmill.units import flux_from_magnitude


@dataclass(frozen=True)
class Sampling:
    """How finely light is sampled.

    supersampling: cells per pixel side. margin: arcsec around the stamp whose light is blurred in.
    core: semi-minor axis of a galaxy's soft core, in cells; rings, spokes: points on it.
    cells: how many cells are refined for the lensed source; levels: how many of the squares in
    them are divided further, and into how many parts a side. wings: the margin of PSFs other than
    round Gaussians, which reach farther.
    """

    supersampling: int = 2
    margin: float = 1.0
    core: float = 2.0
    rings: int = 8
    spokes: int = 12
    cells: int = 512
    levels: Levels = ((192, 3), (96, 3))
    wings: float = 2.0

    def border(self, grid: Grid) -> int:
        """The margin in pixels."""
        return math.ceil(self.margin / grid.pixel_scale)

    def cells_of(self, grid: Grid) -> Grid:
        """The cells of a stamp and of its margin."""
        y, x = (pixels + 2 * self.border(grid) for pixels in grid.shape)
        return Grid((y, x), grid.pixel_scale).supersampled(self.supersampling)

    def blur(self, psf_fwhm: Float[Tensor, "*lead"], grid: Grid) -> tuple[Tensor, Tensor]:
        """Matrices (…, pixel, cell) along y and along x: image = y · cells · xᵀ."""
        y, x = (
            gaussian_sample_matrix(
                psf_fwhm, pixels, grid.pixel_scale, self.supersampling, self.border(grid)
            )
            for pixels in grid.shape
        )
        return y, x


def render(
    scene: Scene, conditions: Conditions, grid: Grid, sampling: Sampling
) -> tuple[Float[Tensor, "batch band y x"], Float[Tensor, "batch band y x"]]:
    """(clean, source) images in e⁻ through the PSF; differentiable in every parameter.

    Gaussian: light beyond the margin is as bright as its edge. Other PSFs: there is none beyond.
    """
    if conditions.psf is not None:
        sampling = replace(sampling, margin=sampling.wings)
    fine = sampling.cells_of(grid)
    seen = _optics(conditions, grid, sampling)
    lensed = seen(_source_cells(scene, conditions, fine, sampling))
    flux = _flux(scene.foreground, conditions)
    return lensed + seen(galaxy_cells(scene.foreground, flux, fine, sampling)), lensed


def _optics(conditions: Conditions, grid: Grid, sampling: Sampling) -> Callable[[Tensor], Tensor]:
    """What makes flux in pixels of the cells' brightness."""
    if conditions.psf is None:
        y, x = sampling.blur(conditions.psf_fwhm, grid)
        return lambda cells: y @ cells @ x.mT
    lattice = Lattice(grid, sampling.supersampling, sampling.border(grid))
    spectrum = conditions.psf.spectrum(conditions.psf_fwhm, lattice)
    return lambda cells: lattice.flux(cells, spectrum)


def _flux(galaxies: Sersic, conditions: Conditions) -> Float[Tensor, "batch component band"]:
    return flux_from_magnitude(galaxies.magnitude, conditions.zero_point[:, None])


def _core(galaxies: Sersic, fine: Grid, sampling: Sampling) -> Float[Tensor, "batch component"]:
    """Radius of the soft core (product average of its axes), arcsec."""
    return sampling.core * fine.pixel_scale / torch.sqrt(galaxies.q)


def galaxy_cells(
    galaxies: Sersic, flux: Float[Tensor, "batch component band"], fine: Grid, sampling: Sampling
) -> Float[Tensor, "batch band y x"]:
    """Undeflected brightness of galaxies of `flux`, as samples at the centres of `fine`'s cells."""
    each = galaxies.over_pixels
    core = _core(galaxies, fine, sampling)[..., None, None]
    x, y = fine.axes(galaxies.x.device, galaxies.x.dtype)
    squared = elliptical_radius_squared(x - each.x, y[:, None] - each.y, each.q, each.phi)
    soft = soft_core(squared, core**2)
    values = sersic_brightness(soft, each.half_light_radius, each.index)
    cells = (flux.mT @ values.flatten(2)).unflatten(2, fine.shape)
    return _with_cusps(cells, galaxies, flux, fine, sampling)


def _with_cusps(
    cells: Tensor, galaxies: Sersic, flux: Tensor, fine: Grid, sampling: Sampling
) -> Float[Tensor, "batch band y x"]:
    """`cells` with the light that the soft cores lack, as points on elliptical rings."""
    core = _core(galaxies, fine, sampling)
    radius, part = cusp_rings(core, galaxies.half_light_radius, galaxies.index, sampling.rings)
    x, y = _ring_points(galaxies, radius, sampling.spokes)
    each = (part / sampling.spokes).repeat_interleave(sampling.spokes, -1)
    weight = (each[:, :, None] * flux[..., None]).transpose(1, 2).flatten(2)
    return add_points(cells, x.flatten(1), y.flatten(1), weight, fine)


def _ring_points(
    galaxies: Sersic, radius: Float[Tensor, "batch component ring"], spokes: int
) -> tuple[Float[Tensor, "batch component point"], Float[Tensor, "batch component point"]]:
    """(x, y) of `spokes` points on each elliptical ring, every other ring turned by half a step."""
    steps = torch.arange(spokes, device=radius.device).to(radius)
    shift = 0.5 * (torch.arange(radius.shape[-1], device=radius.device) % 2).to(radius)
    angle = (steps + shift[:, None]) * (2 * math.pi / spokes)
    stretch = torch.sqrt(galaxies.q)[..., None]
    u = ((radius / stretch)[..., None] * torch.cos(angle)).flatten(2)
    v = ((radius * stretch)[..., None] * torch.sin(angle)).flatten(2)
    x, y = rotate(u, v, -galaxies.phi[..., None])
    return galaxies.x[..., None] + x, galaxies.y[..., None] + y


def _source_cells(
    scene: Scene, conditions: Conditions, fine: Grid, sampling: Sampling
) -> Float[Tensor, "batch band y x"]:
    """Deflected brightness of the source, refined where a cell is too coarse for it."""
    source = scene.source
    count = source.x.shape[1]
    mass = mapped(scene.mass, lambda value: value.repeat_interleave(count)[:, None, None])
    light = _lensed(source.in_rows.over_pixels, mass)
    values = refined_cells(light, fine, source.x, sampling.cells, sampling.levels)
    per_component = values.flatten(1).unflatten(0, source.x.shape)
    return (_flux(source, conditions).mT @ per_component).unflatten(2, fine.shape)


def _aligned_deflection(u: Tensor, v: Tensor, mass: Mass) -> tuple[Tensor, Tensor]:
    """Deflection along and across the major axis of the mass, with u along it."""
    if mass.slope is None:
        alpha_u, alpha_v = sie_deflection_aligned(u, v, mass.theta_E, mass.q)
    else:
        along = torch.zeros_like(mass.phi)
        alpha_u, alpha_v = epl_deflection(u, v, mass.theta_E, mass.q, along, mass.slope)
    if mass.gamma1 is None or mass.gamma2 is None:
        return alpha_u, alpha_v
    shear = shear_deflection(u, v, *rotate(mass.gamma1, mass.gamma2, 2 * mass.phi))
    return alpha_u + shear[0], alpha_v + shear[1]


def _lensed(source: Sersic, mass: Mass) -> Light:
    """The source behind the mass, as seen on the sky; both (row, 1, 1)."""
    # In the frame of the mass: nothing has to be turned back.
    source_u, source_v = rotate(source.x - mass.x, source.y - mass.y, mass.phi)
    angle = source.phi - mass.phi

    def distance(x: Tensor, y: Tensor) -> Tensor:
        u, v = rotate(x - mass.x, y - mass.y, mass.phi)
        alpha_u, alpha_v = _aligned_deflection(u, v, mass)
        squared = elliptical_radius_squared(
            u - alpha_u - source_u, v - alpha_v - source_v, source.q, angle
        )
        return torch.sqrt(squared + 1e-20)

    def brightness(distance: Tensor) -> Tensor:
        return sersic_brightness(distance**2, source.half_light_radius, source.index)

    return Light(distance, brightness)
