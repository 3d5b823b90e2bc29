"""Baseline: the classical deblending, beside which every figure of ours is set.

Fit the galaxy at the stamp's centre with a Sérsic profile through the PSF and subtract it. What
is not smooth, elliptical and concentric (arcs, companions) is clipped from the fit and stays.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.optimize import least_squares
from torch import Tensor

from lensmill.evaluation.profile import Renderer, trial_galaxies
from lensmill.grid import Grid
from lensmill.stages.scaling import local_noise, smooth

BEND = 2.0
"""Local sigmas at which the loss turns from squares to absolute values."""
CLIP = 2.5
"""Light above the model by this many sigmas, over all bands and 3×3 pixels, is clipped."""
CORE = 0.5
"""Within this many FWHM of the galaxy's centre nothing is clipped."""
SAMPLINGS = (1, 1, 2)
"""Supersampling of each round; pixels are clipped between rounds."""
EVALUATIONS = 12
"""At most, of each round; each is followed by one set of finite differences."""
STEP = 1e-5
"""Of finite differences, in every parameter's own unit."""
SMALLEST = 32
"""Usable pixels in each band, below which there is nothing to fit."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Galaxy:
    """The best-fitting smooth galaxy; where `fitted` is False, all else is NaN."""

    fitted: bool
    image: Float[Tensor, "band y x"]  # with its constant background; the image's own unit
    x: float  # arcsec from the stamp's centre
    y: float
    half_light_radius: float  # arcsec, product average of the axes
    index: float
    q: float
    phi: float  # radian from +x


def subtract(
    noisy: Float[Tensor, "band y x"],
    sky_sigma: Float[Tensor, " band"],
    psf_fwhm: Float[Tensor, " band"],
    pixel_scale: float,
) -> Float[Tensor, "band y x"]:
    """`noisy` without its central galaxy and background; NaN where none could be fitted."""
    return noisy - fit_galaxy(noisy, sky_sigma, psf_fwhm, pixel_scale).image


@torch.no_grad()
def fit_galaxy(
    noisy: Float[Tensor, "band y x"],
    sky_sigma: Float[Tensor, " band"],
    psf_fwhm: Float[Tensor, " band"],
    pixel_scale: float,
) -> Galaxy:
    """The PSF-convolved Sérsic that fits the stamp's centre best; never raises on odd data.

    Position, R_e, n, q, φ are shared by the bands; flux and background of each band are solved
    linearly. Pixels that are not finite do not count. psf_fwhm, pixel_scale: arcsec.
    """
    sigma, fwhm = (each.detach().cpu().double() for each in (sky_sigma, psf_fwhm))
    image = noisy.detach().cpu().double() / sigma[:, None, None]
    try:
        galaxy, scaled = _fit(image, fwhm, pixel_scale)
    except (ValueError, np.linalg.LinAlgError):
        return Galaxy(False, torch.full_like(noisy, torch.nan), *[float("nan")] * 6)
    return Galaxy(True, (scaled * sigma[:, None, None]).to(noisy), *galaxy)


def _fit(
    image: Float[Tensor, "band y x"], fwhm: Float[Tensor, " band"], pixel_scale: float
) -> tuple[list[float], Float[Tensor, "band y x"]]:
    """(x, y, R_e, n, q, φ) and the model of an image in sky sigmas, by rounds of fit and clip."""
    grid = Grid((image.shape[1], image.shape[2]), pixel_scale)
    low, high = _bounds(grid, fwhm)
    valid = image.isfinite()
    if not (low < high).all() or int(valid.sum((1, 2)).min()) < SMALLEST:
        raise ValueError("nothing to fit")
    data = torch.where(valid, image, 0.0)
    weight = valid / local_noise(data[None])[0] ** 2
    kept = torch.ones_like(data[0])
    parameters = _start(fwhm).clip(low, high)
    for sampling in SAMPLINGS:
        round_ = _Round(data, weight * kept, Renderer.of(grid, fwhm, sampling))
        parameters = round_.solve(parameters, low, high)
        model = round_.model(torch.from_numpy(parameters)[None])[0]
        kept = _unclipped((data - model) * weight.sqrt(), _core(grid, parameters, fwhm))
    best = trial_galaxies(torch.from_numpy(parameters)[None])
    values = (best.x, best.y, best.half_light_radius, best.index, best.q, best.phi)
    return [float(value) for value in values], model


@dataclass(frozen=True)
class _Round:
    """One least-squares problem; images in sky sigmas."""

    data: Float[Tensor, "band y x"]
    weight: Float[Tensor, "band y x"]  # 1 / variance, 0 where a pixel does not count
    renderer: Renderer

    def solve(self, start: Array, low: Array, high: Array) -> Array:
        """Best parameters (x, y, ln R_e, ln n, e1, e2), with a robust loss."""
        fit = least_squares(
            self.residual,
            start,
            self.jacobian,
            (low, high),
            loss="soft_l1",
            f_scale=BEND,
            x_scale=np.array([0.05, 0.05, 0.2, 0.3, 0.1, 0.1]),
            xtol=1e-4,
            ftol=1e-5,
            max_nfev=EVALUATIONS,
        )
        solution: Array = fit.x
        return solution

    def residual(self, parameters: Array) -> Array:
        """(model − data) in local sigmas."""
        return self._residuals(torch.from_numpy(parameters)[None])[0].numpy()

    def jacobian(self, parameters: Array) -> Array:
        """Its derivative, by forward differences rendered all at once."""
        steps = STEP * np.vstack([np.zeros(6), np.eye(6)])
        values = self._residuals(torch.from_numpy(parameters + steps)).numpy()
        return ((values[1:] - values[0]) / STEP).T

    def _residuals(self, trials: Float[Tensor, "trial 6"]) -> Float[Tensor, "trial pixels"]:
        return ((self.model(trials) - self.data) * self.weight.sqrt()).flatten(1)

    def model(self, trials: Float[Tensor, "trial 6"]) -> Float[Tensor, "trial band y x"]:
        """Galaxy and background of every trial, each band's flux (≥ 0) solved linearly."""
        unit = self.renderer(trials)
        w = self.weight
        one, u, d = w.sum((1, 2)), (w * unit).sum((2, 3)), (w * self.data).sum((1, 2))
        uu, ud = (w * unit**2).sum((2, 3)), (w * self.data * unit).sum((2, 3))
        flux = ((one * ud - u * d) / (one * uu - u**2).clamp(min=1e-300)).clamp(min=0)
        background = (d - flux * u) / one.clamp(min=1e-300)
        return flux[..., None, None] * unit + background[..., None, None]


def _start(fwhm: Float[Tensor, " band"]) -> Array:
    """A round n = 2 galaxy at the centre, as wide as the PSF."""
    return np.array([0.0, 0.0, np.log(float(fwhm.mean())), np.log(2.0), 0.0, 0.0])


def _bounds(grid: Grid, fwhm: Float[Tensor, " band"]) -> tuple[Array, Array]:
    """Centre within a FWHM; R_e from a third of a pixel to half the stamp; n 0.5–6; |e| < 0.6."""
    near = float(fwhm.mean())
    widest = np.log(max(grid.extent) / 2)
    low = np.array([-near, -near, np.log(grid.pixel_scale / 3), np.log(0.5), -0.6, -0.6])
    return low, np.array([near, near, widest, np.log(6.0), 0.6, 0.6])


def _unclipped(
    excess: Float[Tensor, "band y x"], core: Float[Tensor, "y x"]
) -> Float[Tensor, "y x"]:
    """0 where light stands above the model, `excess` in local sigmas; 1 elsewhere and in `core`."""
    over_bands = excess.sum(0) / len(excess) ** 0.5
    significance = 3 * smooth(over_bands[None, None])[0, 0]
    return torch.maximum((significance < CLIP).to(core), core)


def _core(grid: Grid, parameters: Array, fwhm: Float[Tensor, " band"]) -> Float[Tensor, "y x"]:
    """1 within `CORE` FWHM of the galaxy's centre."""
    x, y = grid.coordinates(dtype=fwhm.dtype)
    radius = torch.hypot(x - float(parameters[0]), y - float(parameters[1]))
    return (radius < CORE * fwhm.mean()).to(fwhm)
