"""Injection: arcs of simulated sources, added to the stamp of a real galaxy."""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lensmill.grid import Grid
from lensmill.physics.surveys import Survey
from lensmill.simulation.counter import normal, uniform
from lensmill.simulation.population.priors import Priors
from lensmill.simulation.rendering import Sampling, render
from lensmill.simulation.scene import Conditions, Scene
from lensmill.survey.stamps import Stamp

STREAM, NOISE_STREAM = 71, 72
MISALIGNMENT = math.radians(10.0)
"""Scatter of the mass' position angle about the light's (SLACS, Koopmans et al. 2006)."""
APERTURE = 1.5
"""arcsec, radius in which the angle of a galaxy's light is measured."""


@dataclass(frozen=True)
class Photometry:
    """What one unit of each band's image is: its AB magnitude, and how many electrons."""

    zero_point: tuple[float, ...]
    gain: tuple[float, ...]

    @classmethod
    def of(
        cls,
        bands: tuple[str, ...],
        zero_point: tuple[float, ...],
        gain: tuple[float, ...] | None,
        survey: Survey | None,
    ) -> "Photometry":
        """One number for all bands, or one for each; without a gain, that of the survey's depth.

        ValueError where they are for other bands, or not finite, or a gain is not positive.
        """
        zero_point = _per_band(bands, zero_point, "zero_point")
        if not all(map(math.isfinite, zero_point)):
            raise ValueError(f"zero_point: {zero_point} mag are not all finite")
        gain = _gain_of(bands, zero_point, survey) if gain is None else gain
        if not all(0 < each < math.inf for each in gain):
            raise ValueError(f"gain: {gain} e⁻ per image unit are not all positive and finite")
        return cls(zero_point, _per_band(bands, gain, "gain"))


def _per_band(bands: tuple[str, ...], values: tuple[float, ...], key: str) -> tuple[float, ...]:
    if len(values) not in (1, len(bands)):
        raise ValueError(f"{key}: {len(values)} values for the bands {', '.join(bands)}")
    return values * len(bands) if len(values) == 1 else values


def _gain_of(
    bands: tuple[str, ...], zero_point: tuple[float, ...], survey: Survey | None
) -> tuple[float, ...]:
    """e⁻ per image unit: the survey's total zero point is the magnitude of one electron."""
    missing = [band for band in bands if survey is None or band not in survey.bands]
    if survey is None or missing:
        raise ValueError("the noise of arcs needs a gain (e⁻ per image unit), or a survey preset")
    total = (survey.bands[band].total_zero_point() for band in bands)
    return tuple(10 ** (0.4 * (one - zero)) for one, zero in zip(total, zero_point, strict=True))


@dataclass(frozen=True)
class Sources:
    """Lenses to inject: θ_E in arcsec (log-uniform) and the source's i magnitude (uniform).

    Everything else is as LensPop's LSST lenses have it (`Priors`): sizes, colours, shapes and
    places of sources in units of θ_E, axis ratios of the mass.
    """

    theta_E: tuple[float, float] = (0.5, 2.5)  # noqa: N815
    magnitude: tuple[float, float] = (21.5, 26.0)

    @cached_property
    def _population(self) -> Priors:
        return Priors(lens_fraction=1.0, companions=0.0)

    @property
    def bands(self) -> tuple[str, ...]:
        """g, r, i."""
        return self._population.bands

    def draw(self, seed: int, indices: Int[Tensor, " batch"], angle: float) -> Scene:
        """Lenses without light, their mass along `angle` (radian from +x), and their sources."""
        scene = self._population.draw(seed, indices)
        u = uniform(seed, indices, STREAM, 2).float()
        theta_E = self.theta_E[0] * (self.theta_E[1] / self.theta_E[0]) ** u[:, 0]
        low, high = self.magnitude
        fainter = low + (high - low) * u[:, 1:] - scene.source.magnitude[..., -1]
        scale = (theta_E / scene.mass.theta_E)[:, None]
        tilt = MISALIGNMENT * normal(seed, indices, STREAM + 2, 1)[:, 0].float()
        x, y = scene.mass.x[:, None], scene.mass.y[:, None]
        return replace(
            scene,
            mass=replace(scene.mass, theta_E=theta_E, phi=torch.remainder(angle + tilt, math.pi)),
            foreground=replace(
                scene.foreground, magnitude=torch.full_like(scene.foreground.magnitude, torch.inf)
            ),
            source=replace(
                scene.source,
                magnitude=scene.source.magnitude + fainter[..., None],
                x=x + scale * (scene.source.x - x),
                y=y + scale * (scene.source.y - y),
            ),
        )


@dataclass(frozen=True)
class Injected:
    """Copies of a stamp with arcs in them, and the truth about these."""

    image: Float[Tensor, "batch band y x"]  # the stamp's unit
    theta_E: Float[Tensor, " batch"]  # noqa: N815 (arcsec)
    magnitude: Float[Tensor, " batch"]  # AB, i, of the source before lensing
    snr: Float[Tensor, " batch"]  # matched filter, best band


def inject_into(
    stamp: Stamp,
    photometry: Photometry,
    sources: Sources,
    seed: int,
    indices: Int[Tensor, " batch"],
) -> Injected:
    """`stamp` once for each of `indices`, with arcs and their photon noise: of (seed, index) alone.

    The arcs are seen through a round Gaussian of the stamp's FWHM.
    """
    scene = sources.draw(seed, indices, light_angle(stamp))
    zero_point, gain, fwhm, sigma = (
        torch.tensor(np.asarray(value, np.float32)).expand(len(indices), -1)
        for value in (photometry.zero_point, photometry.gain, stamp.psf_fwhm, stamp.sky_sigma)
    )
    grid = Grid(stamp.image.shape[1:], stamp.pixel_scale)
    sampling = Sampling.for_psf(float(stamp.psf_fwhm.min()) / stamp.pixel_scale)
    _, arcs = render(scene, Conditions(fwhm, zero_point, sigma), grid, sampling)
    galaxy = torch.from_numpy(stamp.image)
    per_unit = gain[..., None, None]
    noise = normal(seed, indices, NOISE_STREAM, arcs[0].numel()).reshape(arcs.shape).to(arcs)
    variance = sigma[..., None, None] ** 2 + (galaxy.clamp(min=0) + arcs) / per_unit
    return Injected(
        image=galaxy + arcs + noise * torch.sqrt(arcs.clamp(min=0) / per_unit),
        theta_E=scene.mass.theta_E,
        magnitude=scene.source.magnitude[:, 0, -1],
        snr=(arcs**2 / variance).sum((-2, -1)).sqrt().amax(-1),
    )


def light_angle(stamp: Stamp) -> float:
    """Position angle of the central galaxy's light, radian from +x in [0, π).

    From second moments of the middle band within `APERTURE`, under a weight as wide as that.
    """
    image = np.clip(stamp.image[len(stamp.image) // 2], 0, None)
    x, y = (each.numpy() for each in Grid(image.shape, stamp.pixel_scale).coordinates())
    squared = x**2 + y**2
    weight = image * np.exp(-2 * squared / APERTURE**2) * (squared < APERTURE**2)
    xx, yy, xy = ((weight * each).sum() for each in (x * x, y * y, x * y))
    return float(np.remainder(0.5 * np.arctan2(2 * xy, xx - yy), np.pi))
