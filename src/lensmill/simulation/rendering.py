"""Rendering: images of scenes through their PSFs.

Galaxies: brightness with a soft core on a grid of cells, and what the core lacks as rings of
points. The lensed source: brightness on the same grid, refined where it varies most. Points of
light: spread on the cells around them. The cells' light is blurred, cropped and summed into pixels
by one matrix for each axis and band where the PSF is a round Gaussian, and by Fourier transforms
where it has another shape. Components without light cost nothing.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
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
from lensmill.simulation.scene import Conditions, Mass, Points, Scene, Sersic, mapped
from lensmill.units import flux_from_magnitude

WIDE, NARROW = 5.0, 2.0
"""Pixels per FWHM from which one cell a pixel side is enough, and two are."""


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

    @classmethod
    def for_psf(cls, pixels: float, least: int = 1) -> "Sampling":
        """As many cells per pixel side, `least` or more, as a FWHM of `pixels` asks for.

        What limits the accuracy is cells per FWHM: with 4.4, the worst pixel is within 2e-3 of the
        peak.
        """
        enough = 1 if pixels >= WIDE else 2 if pixels >= NARROW else 3
        return cls(supersampling=max(least, enough))

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
    return lensed + seen(_foreground_cells(scene, conditions, fine, sampling)), lensed


def _optics(conditions: Conditions, grid: Grid, sampling: Sampling) -> Callable[[Tensor], Tensor]:
    """What makes flux in pixels of the cells' brightness."""
    if conditions.psf is None:
        y, x = sampling.blur(conditions.psf_fwhm, grid)
        return lambda cells: y @ cells @ x.mT
    lattice = Lattice(grid, sampling.supersampling, sampling.border(grid))
    spectrum = conditions.psf.spectrum(conditions.psf_fwhm, lattice)
    return lambda cells: lattice.flux(cells, spectrum)


def _flux(light: Sersic | Points, conditions: Conditions) -> Float[Tensor, "batch component band"]:
    return flux_from_magnitude(light.magnitude, conditions.zero_point[:, None])


def _foreground_cells(
    scene: Scene, conditions: Conditions, fine: Grid, sampling: Sampling
) -> Float[Tensor, "batch band y x"]:
    """Undeflected brightness: galaxies, and points of light."""
    flux = _flux(scene.foreground, conditions)
    cells = galaxy_cells(scene.foreground, flux, fine, sampling)
    return cells if scene.points is None else _with_points(cells, scene.points, conditions, fine)


def _with_points(
    cells: Tensor, points: Points, conditions: Conditions, fine: Grid
) -> Float[Tensor, "batch band y x"]:
    """`cells` with the points' light added, in the scenes that have any."""
    flux = _flux(points, conditions)
    lit = (flux != 0).flatten(1).any(1).nonzero()[:, 0]
    added = add_points(cells[lit], points.x[lit], points.y[lit], flux[lit].mT, fine)
    return cells.index_copy(0, lit, added)


def _lit(galaxies: Sersic, flux: Tensor) -> tuple[Sersic, Tensor, Tensor]:
    """The components that shine, each a row of its own; their flux (row, band); their scenes."""
    shining = (flux != 0).any(-1)
    rows = mapped(galaxies, lambda value: value[shining])
    return rows, flux[shining], shining.nonzero()[:, 0]


def _summed(
    values: Float[Tensor, "row y x"],
    flux: Float[Tensor, "row band"],
    scene: Int[Tensor, " row"],
    count: int,
) -> Float[Tensor, "batch band y x"]:
    """Σ flux · values over the rows of each of the `count` scenes."""
    add = _summed_apart if values.device.type == "cpu" else _summed_together
    return add(values.flatten(1), flux, scene, count).unflatten(2, values.shape[1:])


def _summed_apart(values: Tensor, flux: Tensor, scene: Tensor, count: int) -> Tensor:
    """By a product for each scene: nothing is copied or multiplied by zero, as a CPU likes it."""
    rows = torch.bincount(scene, minlength=count).tolist()
    parts = zip(flux.split(rows), values.split(rows), strict=True)
    return torch.stack([light.mT @ each for light, each in parts])


def _summed_together(values: Tensor, flux: Tensor, scene: Tensor, count: int) -> Tensor:
    """By one product for all scenes, in a fixed order: a GPU neither waits nor adds at random."""
    own = scene == torch.arange(count, device=scene.device)[:, None]
    weights = flux.mT * own[:, None].to(flux.dtype)
    return (weights.flatten(0, 1) @ values).unflatten(0, (count, -1))


def _core(galaxies: Sersic, fine: Grid, sampling: Sampling) -> Float[Tensor, " row"]:
    """Radius of the soft core (product average of its axes), arcsec."""
    return sampling.core * fine.pixel_scale / torch.sqrt(galaxies.q)


def galaxy_cells(
    galaxies: Sersic, flux: Float[Tensor, "batch component band"], fine: Grid, sampling: Sampling
) -> Float[Tensor, "batch band y x"]:
    """Undeflected brightness of galaxies of `flux`, as samples at the centres of `fine`'s cells."""
    rows, light, scene = _lit(galaxies, flux)
    each = rows.over_pixels
    core = _core(rows, fine, sampling)[..., None, None]
    x, y = fine.axes(rows.x.device, rows.x.dtype)
    squared = elliptical_radius_squared(x - each.x, y[:, None] - each.y, each.q, each.phi)
    soft = soft_core(squared, core**2)
    values = sersic_brightness(soft, each.half_light_radius, each.index)
    return _summed(_with_cusps(values, rows, fine, sampling), light, scene, len(flux))


def _with_cusps(
    values: Tensor, rows: Sersic, fine: Grid, sampling: Sampling
) -> Float[Tensor, "row y x"]:
    """`values` with the light that the soft cores lack, as points on elliptical rings."""
    core = _core(rows, fine, sampling)
    radius, part = cusp_rings(core, rows.half_light_radius, rows.index, sampling.rings)
    x, y = _ring_points(rows, radius, sampling.spokes)
    weight = (part / sampling.spokes).repeat_interleave(sampling.spokes, -1)
    return add_points(values[:, None], x, y, weight[:, None], fine)[:, 0]


def _ring_points(
    rows: Sersic, radius: Float[Tensor, "row ring"], spokes: int
) -> tuple[Float[Tensor, "row point"], Float[Tensor, "row point"]]:
    """(x, y) of `spokes` points on each elliptical ring, every other ring turned by half a step."""
    steps = torch.arange(spokes, device=radius.device).to(radius)
    shift = 0.5 * (torch.arange(radius.shape[-1], device=radius.device) % 2).to(radius)
    angle = (steps + shift[:, None]) * (2 * math.pi / spokes)
    stretch = torch.sqrt(rows.q)[:, None]
    u = ((radius / stretch)[..., None] * torch.cos(angle)).flatten(1)
    v = ((radius * stretch)[..., None] * torch.sin(angle)).flatten(1)
    x, y = rotate(u, v, -rows.phi[:, None])
    return rows.x[:, None] + x, rows.y[:, None] + y


def _source_cells(
    scene: Scene, conditions: Conditions, fine: Grid, sampling: Sampling
) -> Float[Tensor, "batch band y x"]:
    """Deflected brightness of the source, refined where a cell is too coarse for it."""
    source, flux, row = _lit(scene.source, _flux(scene.source, conditions))
    if not len(row):
        return flux.new_zeros(len(scene.is_lens), flux.shape[1], *fine.shape)
    mass = mapped(scene.mass, lambda value: value[row][:, None, None])
    light = _lensed(source.over_pixels, mass)
    values = refined_cells(light, fine, source.x, sampling.cells, sampling.levels)
    return _summed(values, flux, row, len(scene.is_lens))


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
