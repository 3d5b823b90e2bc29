"""lenstronomy and caustics, driven with this project's conventions.

Their b_n differ from ours, so radii are changed such that the profiles, not the names, agree.
"""

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import caustics
import numpy as np
import torch
from caskade import forward
from lenstronomy.Data.imaging_data import ImageData
from lenstronomy.Data.psf import PSF
from lenstronomy.ImSim.image_model import ImageModel
from lenstronomy.LensModel.lens_model import LensModel
from lenstronomy.LightModel.light_model import LightModel
from numpy.typing import NDArray
from scipy.special import gammaln
from torch import Tensor

from lensmill.grid import Grid
from lensmill.physics.light import sersic_b
from lensmill.physics.psf import FWHM_PER_SIGMA
from lensmill.simulation.scene import Conditions, Mass, Scene, Sersic
from lensmill.units import flux_from_magnitude

Array = NDArray[np.float64]
Kwargs = list[dict[str, float]]

CENTRAL = 13
"""Side, in pixels, of the frame in which a bulge's cusp may be sampled more finely."""


# --- lenstronomy


def lenstronomy_deflection(x: Array, y: Array, lens: list[float]) -> tuple[Array, Array]:
    """Deflection of an SIE (θ_E, q, φ, x, y)."""
    return LensModel(["SIE"]).alpha(x, y, [_lens(*lens)])  # type: ignore[no-any-return]


def lenstronomy_image(
    scene: Scene,
    conditions: Conditions,
    grid: Grid,
    row: int,
    supersampling: int,
    cusp: int = 0,
    arcs: int = 0,
    padding: int = 12,
) -> Array:
    """(band, y, x) of one scene in e⁻.

    cusp: supersampling of the foreground on the central pixels, if finer. arcs: of the source, on
    the pixels that it lights, if finer. Frames are square,
    as lenstronomy wants them, and `padding` pixels larger than the stamp on each side, so that
    light beyond it is blurred in.
    """
    (rows, columns), pad = grid.shape, padding
    whole = _Frame((-pad, -pad), max(grid.shape) + 2 * pad, grid)
    images = []
    for band in range(conditions.psf_fwhm.shape[1]):
        galaxy, source = (
            _lights(part, conditions, row, band) for part in (scene.foreground, scene.source)
        )
        fwhm = float(conditions.psf_fwhm[row, band])
        lens = _lens_of(scene.mass, row)
        image = whole.image(fwhm, lens, source, galaxy, supersampling)
        if cusp > supersampling:
            first = (rows // 2 - CENTRAL // 2, columns // 2 - CENTRAL // 2)
            centre = _Frame(first, CENTRAL, grid)
            finer = centre.image(fwhm, lens, [], galaxy, cusp)
            y, x = (slice(start + pad, start + pad + CENTRAL) for start in first)
            image[y, x] += finer - centre.image(fwhm, lens, [], galaxy, supersampling)
        if arcs > supersampling:
            side = 2 * math.ceil((2.2 * lens[0]["theta_E"] + 0.5) / grid.pixel_scale) + 1
            side = min(side, min(grid.shape) + 2 * pad - 1)
            first = (rows // 2 - side // 2, columns // 2 - side // 2)
            ring = _Frame(first, side, grid)
            finer = ring.image(fwhm, lens, source, [], arcs)
            y, x = (slice(start + pad, start + pad + side) for start in first)
            image[y, x] += finer - ring.image(fwhm, lens, source, [], supersampling)
        images.append(image[pad : pad + rows, pad : pad + columns])
    return np.stack(images)


@dataclass(frozen=True)
class _Frame:
    """`side`² pixels of `grid`, the first of them at (y, x) = `first`."""

    first: tuple[int, int]
    side: int
    grid: Grid

    def image(
        self, fwhm: float, lens: Kwargs, source: Kwargs, galaxy: Kwargs, supersampling: int
    ) -> Array:
        scale = self.grid.pixel_scale
        y, x = (
            (start - (count - 1) / 2) * scale
            for start, count in zip(self.first, self.grid.shape, strict=True)
        )
        model = ImageModel(
            ImageData(
                np.zeros((self.side, self.side)),
                ra_at_xy_0=x,
                dec_at_xy_0=y,
                transform_pix2angle=np.eye(2) * scale,
            ),
            PSF("GAUSSIAN", fwhm=fwhm, truncation=5),
            LensModel(["EPL", "SHEAR"]),
            LightModel(["SERSIC_ELLIPSE"] * len(source)),
            LightModel(["SERSIC_ELLIPSE"] * len(galaxy)),
            kwargs_numerics={
                "supersampling_factor": supersampling,
                "supersampling_convolution": supersampling > 1,
            },
        )
        return model.image(lens, source, galaxy)  # type: ignore[no-any-return]


def _lens_of(mass: Mass, row: int) -> Kwargs:
    """EPL and shear; lenstronomy's shear is about the origin unless told."""
    theta_E, q, phi, x, y = (
        float(value[row]) for value in (mass.theta_E, mass.q, mass.phi, mass.x, mass.y)
    )
    slope = 2.0 if mass.slope is None else float(mass.slope[row])
    shear = [0.0 if each is None else float(each[row]) for each in (mass.gamma1, mass.gamma2)]
    return [
        {**_lens(theta_E, q, phi, x, y), "gamma": slope},
        {"gamma1": shear[0], "gamma2": shear[1], "ra_0": x, "dec_0": y},
    ]


def _lens(theta_E: float, q: float, phi: float, x: float, y: float) -> dict[str, float]:
    e1, e2 = _ellipticity(q, phi)
    return {"theta_E": theta_E, "e1": e1, "e2": e2, "center_x": x, "center_y": y}


def _ellipticity(q: float, phi: float) -> tuple[float, float]:
    e = (1 - q) / (1 + q)
    return e * np.cos(2 * phi), e * np.sin(2 * phi)


def _lights(
    galaxies: Sersic, conditions: Conditions, row: int, band: int
) -> list[dict[str, float]]:
    zero_point = float(conditions.zero_point[row, band])
    lights = []
    for number in range(galaxies.x.shape[1]):
        flux = 10 ** (-0.4 * (float(galaxies.magnitude[row, number, band]) - zero_point))
        values = (float(value[row, number]) for value in list(vars(galaxies).values())[1:])
        radius, index, q, phi, x, y = values
        b, theirs = _b(index), 1.9992 * index - 0.3271
        e1, e2 = _ellipticity(q, phi)
        lights.append(
            {
                "amp": flux * central_brightness(radius, index) * np.exp(-theirs),
                "R_sersic": radius * (theirs / b) ** index,
                "n_sersic": index,
                "e1": e1,
                "e2": e2,
                "center_x": x,
                "center_y": y,
            }
        )
    return lights


def _b(index: float) -> float:
    return float(sersic_b(torch.tensor(index, dtype=torch.float64)))


def central_brightness(radius: float, index: float) -> float:
    """Of a unit flux, arcsec⁻²."""
    b = _b(index)
    logarithm = 2 * index * np.log(b) - gammaln(2 * index)
    return float(np.exp(logarithm) / (2 * np.pi * index * radius**2))


# --- caustics


def caustics_deflection(x: Array, y: Array, lens: list[float]) -> tuple[Array, Array]:
    """Deflection of an SIE (θ_E, q, φ, x, y)."""
    theta_E, q, phi, x0, y0 = (torch.tensor(value, dtype=torch.float64) for value in lens)
    model = caustics.SIE(_cosmology(), z_l=0.5, z_s=1.0, x0=x0, y0=y0, q=q, phi=phi, Rein=theta_E)
    alpha = model.reduced_deflection_angle(torch.from_numpy(x), torch.from_numpy(y))
    return alpha[0].numpy(), alpha[1].numpy()


@cache
def _cosmology() -> Any:
    return caustics.FlatLambdaCDM(name="cosmology")


class _Stack(caustics.LightStack):  # type: ignore[misc]
    """Theirs adds in place, which vmap refuses."""

    @forward
    def brightness(self, x: Tensor, y: Tensor) -> Tensor:
        first, *others = self.light_models
        return sum((each.brightness(x, y) for each in others), first.brightness(x, y))


class CausticsSimulator:
    """caustics' `LensSource` under vmap, one for each band, of an SIE, galaxy parts and source."""

    def __init__(self, fwhm: list[float], grid: Grid, supersampling: int, parts: int = 2) -> None:
        self.area = grid.pixel_scale**2
        self.bands = [torch.vmap(self._band(each, grid, supersampling, parts)) for each in fwhm]

    def _band(self, fwhm: float, grid: Grid, supersampling: int, parts: int) -> Any:
        lens = caustics.SIE(_cosmology(), z_l=0.5, z_s=1.0, name="lens")
        source = caustics.Sersic(name="source")
        galaxy = [caustics.Sersic(name=f"part{number}") for number in range(parts)]
        return caustics.LensSource(
            lens,
            source,
            grid.pixel_scale,
            grid.shape[1],
            _Stack(light_models=galaxy, name="galaxy") if parts > 1 else galaxy[0],
            grid.shape[0],
            supersampling,
            psf=gaussian_kernel(fwhm, grid.pixel_scale / supersampling),
        )

    def __call__(self, scene: Scene, conditions: Conditions) -> Tensor:
        """(batch, band, y, x) in e⁻."""
        images = [
            simulator(caustics_parameters(scene, conditions, band))
            for band, simulator in enumerate(self.bands)
        ]
        return torch.stack(images, 1) * self.area


def gaussian_kernel(fwhm: float, cell: float) -> Tensor:
    """A Gaussian drawn on cells, to four sigmas."""
    sigma = fwhm / FWHM_PER_SIGMA
    half = int(np.ceil(4 * sigma / cell))
    axis = torch.arange(-half, half + 1) * cell
    profile = torch.exp(-0.5 * (axis / sigma) ** 2)
    kernel = profile[:, None] * profile
    return kernel / kernel.sum()


def caustics_parameters(scene: Scene, conditions: Conditions, band: int) -> Tensor:
    """(batch, parameter) in the order that caustics wants: lens, source, parts of the galaxy."""
    mass: Mass = scene.mass
    lens = torch.stack([mass.x, mass.y, mass.q, mass.phi, mass.theta_E], -1)
    parts = [(scene.foreground, number) for number in range(scene.foreground.x.shape[1])]
    lights = [_caustics_light(*part, conditions, band) for part in [(scene.source, 0), *parts]]
    return torch.cat([lens, *lights], -1)


def _caustics_light(galaxies: Sersic, number: int, conditions: Conditions, band: int) -> Tensor:
    flux = flux_from_magnitude(galaxies.magnitude[:, number], conditions.zero_point)[:, band]
    values = [value[:, number] for value in list(vars(galaxies).values())[1:]]
    radius, index, q, phi, x, y = values
    b = sersic_b(index)
    log_norm = 2 * index * b.log() - torch.lgamma(2 * index) - (2 * torch.pi * index).log()
    at_radius = flux * torch.exp(log_norm - b) / radius**2
    return torch.stack([x, y, q, phi, index, radius / q.sqrt(), at_radius], -1)
