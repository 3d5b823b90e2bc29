"""Fits a lens with lenstronomy from a start that lensmill exported.

    python fit.py START.json STAMP.fits [--hdus 1,4,7] [--out FIT.json]

Needs lenstronomy, astropy and scipy; not lensmill. The stamp holds an image for each band of the
start: extensions g_SCI, r_SCI, … with variances g_VAR, … if any, or the HDUs that --hdus numbers,
or one cube. The mass is an SIE, the galaxy de Vaucouleurs + exponential, the source exponential;
amplitudes are solved for (none negative), every band by itself. In turn: the galaxy's light; the
source's place, by trying; everything at once, by robust least squares. lensmill's posterior of
theta_E, e1, e2 is the prior of the mass, unless --free. Writes lenstronomy's keyword arguments.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from lenstronomy.ImSim.MultiBand.single_band_multi_model import SingleBandMultiModel
from lenstronomy.Sampling.parameters import Param
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation
from scipy.optimize import least_squares, nnls

Array = NDArray[Any]
Start = dict[str, Any]
Kwargs = dict[str, Any]

PARTS = {"lens": "lens_model", "source": "source_model", "lens_light": "lens_light_model"}
ROBUST: dict[str, Any] = {"loss": "soft_l1", "f_scale": 2.0}
STARTS = 2
"""Places of the source from which everything is fitted, before the better one is finished."""
FAR = 1.5
"""Einstein radii beyond which what the galaxy's light does not explain is a neighbour's."""


def read_stamp(
    path: Path, bands: Sequence[str], sky_sigma: Sequence[float], hdus: list[int] | None = None
) -> tuple[Array, Array]:
    """(images, noise maps), each (band, y, x)."""
    with fits.open(path) as opened:
        names = [hdu.name.upper() for hdu in opened]
        if hdus is None and f"{bands[0]}_SCI".upper() in names:
            hdus = [names.index(f"{band}_SCI".upper()) for band in bands]
        found = [hdu.data for hdu in opened if hdu.is_image and hdu.data is not None]
        images = [opened[number].data for number in hdus] if hdus else found[0]
        if np.ndim(images) != 3 or len(images) != len(bands):
            raise ValueError(f"{path}: no image for each of {', '.join(bands)}; give --hdus")
        shape = np.shape(images[0])
        variances = [
            opened[f"{band}_VAR"].data if f"{band}_VAR".upper() in names else np.full(shape, s**2)
            for band, s in zip(bands, sky_sigma, strict=True)
        ]
        return np.array(images, float), np.sqrt(np.array(variances, float))


def bands_of(start: Start, images: Array, noise: Array, supersampling: int) -> list[list[Kwargs]]:
    """lenstronomy's multi_band_list; its frames are square, so the longer side is cut.

    lenstronomy samples brightness at points: the PSF is widened by what the pixel adds to its
    variance, scale² / 12, less what supersampling averages itself.
    """
    scale, (y, x) = start["pixel_scale"], images.shape[1:]
    side = min(y, x)
    pixel = 8 * np.log(2) * (scale / supersampling) ** 2 / 12
    first_y, first_x = (y - side) // 2, (x - side) // 2
    cut = np.s_[:, first_y : first_y + side, first_x : first_x + side]
    place = {
        "ra_at_xy_0": (first_x - (x - 1) / 2) * scale,
        "dec_at_xy_0": (first_y - (y - 1) / 2) * scale,
        "transform_pix2angle": np.eye(2) * scale,
    }
    return [
        [
            {"image_data": image, "noise_map": sigma, **place},
            {"psf_type": "GAUSSIAN", "fwhm": np.hypot(fwhm, pixel**0.5), "pixel_size": scale},
            {"supersampling_factor": supersampling},
        ]
        for image, sigma, fwhm in zip(images[cut], noise[cut], start["psf_fwhm"], strict=True)
    ]


class Fit:
    """A start on a stamp: residuals as a function of the non-linear parameters."""

    def __init__(self, start: Start, bands: list[list[Kwargs]]) -> None:
        self.start, self.bands = start, bands
        params = {part: start["kwargs_params"][name] for part, name in PARTS.items()}
        ways = {"fixed": 2, "lower": 3, "upper": 4}
        limits = {f"kwargs_{w}_{p}": params[p][k] for w, k in ways.items() for p in params}
        constraints = start["kwargs_constraints"]
        self.param = Param(start["kwargs_model"], linear_solver=True, **limits, **constraints)
        self.lower, self.upper = map(np.array, self.param.param_limits())
        self.names = self.param.num_param()[1]
        self.first, self.scale = (self.args({p: params[p][k] for p in params}) for k in (0, 1))
        self.theta_E = start["kwargs_params"]["lens_model"][0][0]["theta_E"]
        good = np.all([np.isfinite(d["image_data"] / d["noise_map"]) for d, _, _ in bands], 0)
        self.keep(good & (self.radius() < 2 * self.theta_E + max(start["psf_fwhm"])))

    def radius(self) -> Array:
        """Distance of each pixel from the stamp's centre, arcsec."""
        data = self.bands[0][0]
        step = np.arange(len(data["image_data"])) * self.start["pixel_scale"]
        return np.hypot(data["ra_at_xy_0"] + step, (data["dec_at_xy_0"] + step)[:, None])

    def keep(self, mask: Array) -> None:
        """Fit the pixels of `mask` alone."""
        self.mask = mask
        masks, model = [mask] * len(self.bands), self.start["kwargs_model"]
        self.models = [
            SingleBandMultiModel(self.bands, model, likelihood_mask_list=masks, band_index=band)
            for band in range(len(self.bands))
        ]

    def args(self, kwargs: Kwargs) -> Array:
        """Parameters as an array."""
        return self.param.kwargs2args(**{f"kwargs_{part}": each for part, each in kwargs.items()})

    def kwargs(self, args: Array) -> dict[str, list[Kwargs]]:
        """Parameters as lenstronomy's keyword arguments."""
        kwargs = self.param.args2kwargs(np.asarray(args))
        return {f"kwargs_{part}": kwargs[f"kwargs_{part}"] for part in PARTS}

    def residuals(self, args: Array) -> Array:
        """(data − model) / σ of every band, with the best amplitudes that are not negative."""
        kwargs = self.kwargs(args)
        found = []
        for model, (data, _, _) in zip(self.models, self.bands, strict=True):
            sigma = data["noise_map"][self.mask]
            response = np.nan_to_num(model.linear_response_matrix(**kwargs) / sigma)
            image = data["image_data"][self.mask] / sigma
            found.append(image - nnls(response.T, image)[0] @ response)
        return np.concatenate(found)

    def prior(self, args: Array) -> list[float]:
        """(θ_E, e1, e2) less lensmill's posterior mean, in its σ."""
        first, sigma = (self.start["kwargs_params"]["lens_model"][k][0] for k in (0, 1))
        names = ("theta_E", "e1", "e2")
        values = (args[self.names.index(f"{name}_lens0")] for name in names)
        return [(v - first[n]) / sigma[n] for n, v in zip(names, values, strict=True)]


def solve(
    fit: Fit, args: Array, part: str = "", prior: bool = True, **options: Any
) -> tuple[Any, Array]:
    """scipy's result, and `args` with the parameters named after `part` moved to a least χ²."""
    free = np.array([part in name for name in fit.names])
    args = np.clip(args, fit.lower + 1e-6, fit.upper - 1e-6)

    def residuals(some: Array) -> Array:
        every = args.copy()
        every[free] = some
        return np.append(fit.residuals(every), fit.prior(every) if prior else [])

    bounds = (fit.lower[free], fit.upper[free])
    done = least_squares(
        residuals, args[free], bounds=bounds, x_scale=fit.scale[free], **ROBUST, **options
    )
    args[free] = done.x
    return done, args


def places(fit: Fit, args: Array, count: int = 8) -> list[Array]:
    """`args` with the source at each place of a grid over the Einstein radius, best first."""
    x, y = (fit.names.index(f"center_{axis}_source_light0") for axis in "xy")
    steps = np.linspace(-0.8, 0.8, count)
    tried = []
    for step in [(i, j) for i in steps for j in steps if np.hypot(i, j) < 0.85]:
        there = np.array(args)
        there[[x, y]] = np.multiply(step, fit.theta_E)
        tried.append((chi2(fit.residuals(there)), there))
    return [there for _, there in sorted(tried, key=lambda each: each[0])]


def chi2(residuals: Array) -> float:
    """Robust χ², as the fit minimises it."""
    scale = ROBUST["f_scale"]
    return float(2 * scale**2 * (np.sqrt(1 + (residuals / scale) ** 2) - 1).sum())


def without_neighbours(fit: Fit, args: Array) -> Array:
    """The fitted pixels less those far out and 5 σ brighter than the model in a band."""
    images = np.zeros((len(fit.bands), *fit.mask.shape))
    images[:, fit.mask] = fit.residuals(args).reshape(len(fit.bands), -1)
    bright = (images > 5).any(0) & (fit.radius() > FAR * fit.theta_E)
    return fit.mask & ~binary_dilation(bright, iterations=2)


def fit_lens(
    start: Start, images: Array, noise: Array, supersampling: int = 1, free: bool = False
) -> dict[str, Any]:
    """What was found: lenstronomy's keyword arguments, χ² per pixel before and after, converged."""
    fit = Fit(start, bands_of(start, images, noise, supersampling))
    rough = places(fit, fit.first, 4)[0]
    _, light = solve(fit, rough, "lens_light", max_nfev=15)
    fit.keep(without_neighbours(fit, light))
    best = places(fit, light)[:STARTS]
    first = min((solve(fit, args, max_nfev=12) for args in best), key=lambda each: each[0].cost)[1]
    done, args = solve(fit, first, prior=not free, max_nfev=60, xtol=1e-4, ftol=1e-4)
    pixels = len(fit.bands) * fit.mask.sum()
    return {
        "converged": bool(done.status > 0),
        "chi2_start": chi2(fit.residuals(places(fit, fit.first, 4)[0])) / pixels,
        "chi2": chi2(fit.residuals(args)) / pixels,
        "kwargs_result": fit.kwargs(args),
    }


def main() -> None:
    """Reads the command line, fits, writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("start", type=Path)
    parser.add_argument("stamp", type=Path)
    parser.add_argument("--hdus", help="HDU of each band's image, such as 1,4,7")
    parser.add_argument("--supersampling", type=int, default=1)
    parser.add_argument("--free", action="store_true", help="no prior on the mass")
    parser.add_argument("--out", type=Path, help="START_fit.json by default")
    given = parser.parse_args()
    start = json.loads(given.start.read_text())
    hdus = [int(number) for number in given.hdus.split(",")] if given.hdus else None
    stamp = read_stamp(given.stamp, start["bands"], start["sky_sigma"], hdus)
    result = fit_lens(start, *stamp, supersampling=given.supersampling, free=given.free)
    out = given.out or given.start.with_name(f"{given.start.stem}_fit.json")
    out.write_text(json.dumps(result, indent=1, default=float) + "\n")
    mass = ", ".join(f"{k} {v:.4f}" for k, v in result["kwargs_result"]["kwargs_lens"][0].items())
    better = f"χ² per pixel {result['chi2_start']:.2f} → {result['chi2']:.2f}"
    sys.stdout.write(f"{out}: {better}; {mass}\n")


if __name__ == "__main__":
    main()
