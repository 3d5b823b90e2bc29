"""Simulator: scenes in, named quantities out.

Accuracy, tested against lenstronomy: worst pixel within 2e-3 of the image's peak, total flux
within 1e-3 (Gaussian PSF).
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lensmill.grid import Grid
from lensmill.physics.cells import block_around, nearest_approach, refine
from lensmill.physics.lens import sie_deflection
from lensmill.physics.light import (
    elliptical_radius_squared,
    sersic_brightness,
    sersic_core_excess,
)
from lensmill.physics.noise import observe
from lensmill.physics.psf import gaussian_blur_matrix, gaussian_point
from lensmill.quantities import Batch
from lensmill.simulation.counter import normal
from lensmill.simulation.observing import Observing
from lensmill.simulation.population import Population
from lensmill.simulation.scene import Conditions, Mass, Scene, Sersic
from lensmill.units import ellipticity_from_axis_ratio, flux_from_magnitude

NOISE_STREAM = 3


@dataclass(frozen=True)
class Sampling:
    """How finely light is sampled: cells per pixel side, points per refined cell side.

    `central` is the width, in cells, of the refined block on a galaxy's centre; `brightest` how
    many cells of the lensed source are refined.
    """

    supersampling: int = 2
    refinement: int = 4
    central: int = 8
    brightest: int = 384


@dataclass(frozen=True)
class Simulator:
    """Draws scenes from `population`, observes them with `observing` on `grid`."""

    population: Population
    observing: Observing
    grid: Grid
    sampling: Sampling = Sampling()
    chunk: int = 16
    """Scenes rendered together: small fits a CPU's cache, large fills a GPU."""

    def __post_init__(self) -> None:
        if self.population.bands != self.observing.bands:
            raise ValueError(
                f"the population draws bands {self.population.bands}, "
                f"the survey observes {self.observing.bands}"
            )

    def on(self, grid: Grid) -> "Simulator":
        """The same simulator on another grid."""
        return replace(self, grid=grid)

    def __call__(self, seed: int, indices: Int[Tensor, " batch"]) -> Batch:
        """Every quantity of the scenes `indices`: a function of (seed, index, grid) alone."""
        parts = [self._observe(seed, part) for part in indices.split(self.chunk)]
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def _observe(self, seed: int, indices: Tensor) -> Batch:
        scene = self.population.draw(seed, indices)
        conditions = self.observing.draw(seed, indices, self.grid.pixel_scale)
        clean, source = render(scene, conditions, self.grid, self.sampling)
        noise = normal(seed, indices, NOISE_STREAM, clean[0].numel()).reshape(clean.shape)
        e1, e2 = ellipticity_from_axis_ratio(scene.mass.q, scene.mass.phi)
        sigma = conditions.sky_sigma
        return {
            "noisy": observe(clean, sigma, noise),
            "clean": clean,
            "source": source,
            "sky_sigma": sigma,
            "psf_fwhm": conditions.psf_fwhm,
            "pixel_scale": torch.full_like(e1, self.grid.pixel_scale),
            "is_lens": scene.is_lens.to(clean.dtype),
            "theta_E": scene.mass.theta_E,
            "e1": e1,
            "e2": e2,
            "source_snr": source_snr(clean, source, sigma),
        }


def source_snr(
    clean: Float[Tensor, "batch band y x"],
    source: Float[Tensor, "batch band y x"],
    sky_sigma: Float[Tensor, "batch band"],
) -> Float[Tensor, " batch"]:
    """Matched-filter S/N of the source in its best band, Poisson noise of all light included."""
    variance = (sky_sigma**2)[..., None, None] + clean.clamp(min=0)
    return (source**2 / variance).sum((-2, -1)).sqrt().amax(-1)


def render(
    scene: Scene, conditions: Conditions, grid: Grid, sampling: Sampling
) -> tuple[Float[Tensor, "batch band y x"], Float[Tensor, "batch band y x"]]:
    """(clean, source) images in e⁻ through Gaussian PSFs; differentiable in every parameter."""
    fine = grid.supersampled(sampling.supersampling)
    y, x = (
        gaussian_blur_matrix(conditions.psf_fwhm, pixels, grid.pixel_scale, sampling.supersampling)
        for pixels in grid.shape
    )
    lensed = _blur(_source_cells(scene, conditions, fine, sampling), y, x)
    cells, cut = _foreground_cells(scene.foreground, conditions, fine, sampling)
    points = _points(scene.foreground, cut, conditions.psf_fwhm, grid)
    return lensed + _blur(cells, y, x) + points, lensed


def _blur(cells: Tensor, y: Tensor, x: Tensor) -> Tensor:
    return y @ cells @ x.mT


def _foreground_cells(
    galaxies: Sersic, conditions: Conditions, fine: Grid, sampling: Sampling
) -> tuple[Float[Tensor, "batch band y x"], Float[Tensor, "batch component band"]]:
    """Undeflected brightness per cell with the cusps cut off, and the flux that was cut."""
    core = fine.pixel_scale / sampling.refinement
    flat = _flattened(galaxies)

    def brightness(x: Tensor, y: Tensor) -> Tensor:
        return _profile(_radius_squared(x, y, flat).clamp(min=core**2), flat)

    values = brightness(*_flat_coordinates(fine, flat.x))
    block, valid = block_around(flat.x[:, 0], flat.y[:, 0], fine, sampling.central)
    values = refine(values, block, valid, brightness, fine, sampling.refinement)
    radius = galaxies.half_light_radius
    excess = sersic_core_excess(torch.full_like(radius, core), radius, galaxies.index)
    return _weighted(values, galaxies, conditions, fine), excess[..., None] * _flux(
        galaxies, conditions
    )


def _source_cells(
    scene: Scene, conditions: Conditions, fine: Grid, sampling: Sampling
) -> Float[Tensor, "batch band y x"]:
    """Deflected brightness of the source per cell."""
    count = scene.source.x.shape[1]
    mass = Mass(*(p.repeat_interleave(count)[:, None] for p in vars(scene.mass).values()))
    flat = _flattened(scene.source)

    def radius_squared(x: Tensor, y: Tensor) -> Tensor:
        return _radius_squared(*_source_plane(x, y, mass), flat)

    def brightness(x: Tensor, y: Tensor) -> Tensor:
        return _profile(radius_squared(x, y), flat)

    distance = radius_squared(*_flat_coordinates(fine, flat.x))
    with torch.no_grad():
        near = nearest_approach(distance.unflatten(1, fine.shape).sqrt()).flatten(1)
        chosen = near.topk(min(sampling.brightest, near.shape[1]), dim=1, largest=False).indices
    every = torch.ones_like(chosen, dtype=torch.bool)
    values = refine(_profile(distance, flat), chosen, every, brightness, fine, sampling.refinement)
    return _weighted(values, scene.source, conditions, fine)


def _points(
    galaxies: Sersic, flux: Float[Tensor, "batch component band"], fwhm: Tensor, grid: Grid
) -> Float[Tensor, "batch band y x"]:
    """PSF-shaped points of `flux` at the galaxies' centres."""
    fwhm = fwhm[:, None].expand_as(flux)
    y = galaxies.y[..., None].expand_as(flux)
    x = galaxies.x[..., None].expand_as(flux)
    columns = gaussian_point(fwhm, y, grid.shape[0], grid.pixel_scale) * flux[..., None]
    rows = gaussian_point(fwhm, x, grid.shape[1], grid.pixel_scale)
    return torch.einsum("bcfy,bcfx->bfyx", columns, rows)


def _flattened(galaxies: Sersic) -> Sersic:
    """Every component a row of its own, (batch · component, 1), to broadcast over points."""
    return Sersic(*(p.flatten(0, 1)[:, None] for p in vars(galaxies).values()))


def _flux(galaxies: Sersic, conditions: Conditions) -> Float[Tensor, "batch component band"]:
    return flux_from_magnitude(galaxies.magnitude, conditions.zero_point[:, None])


def _weighted(values: Tensor, galaxies: Sersic, conditions: Conditions, fine: Grid) -> Tensor:
    """Sum over components of unit-flux `values` (batch · component, cells), per band."""
    per_component = values.unflatten(0, galaxies.x.shape)
    cells = _flux(galaxies, conditions).mT @ per_component
    return cells.unflatten(2, fine.shape)


def _flat_coordinates(fine: Grid, like: Tensor) -> tuple[Tensor, Tensor]:
    x, y = fine.coordinates(like.device, like.dtype)
    return x.reshape(1, -1), y.reshape(1, -1)


def _source_plane(x: Tensor, y: Tensor, mass: Mass) -> tuple[Tensor, Tensor]:
    alpha = sie_deflection(x - mass.x, y - mass.y, mass.theta_E, mass.q, mass.phi)
    return x - alpha[0], y - alpha[1]


def _radius_squared(x: Tensor, y: Tensor, galaxies: Sersic) -> Tensor:
    return elliptical_radius_squared(x - galaxies.x, y - galaxies.y, galaxies.q, galaxies.phi)


def _profile(radius_squared: Tensor, galaxies: Sersic) -> Tensor:
    return sersic_brightness(radius_squared, galaxies.half_light_radius, galaxies.index)
