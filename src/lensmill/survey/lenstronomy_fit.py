"""Fits a lens with lenstronomy from a start that lensmill exported.

    python fit.py START.json STAMP.fits [--hdus 1,4,7] [--out FIT.json]

Needs lenstronomy, astropy and scipy; not lensmill. The stamp holds an image for each band of the
start: extensions g_SCI, r_SCI, … with variances g_VAR, … if any, or the HDUs that --hdus numbers,
or one cube. The mass is an SIE, the galaxy de Vaucouleurs + exponential, the source exponential;
amplitudes are solved for (none negative), every band by itself. In turn: the galaxy's light; the
Einstein radius and the source's place, by trying; everything at once, by robust least squares,
coarsely and then finely sampled. lensmill's posterior of theta_E, e1, e2 is the prior of the mass,
unless --free. Writes lenstronomy's keyword arguments.
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
STARTS = 3
"""Einstein radii from which everything is fitted, before the best one is finished."""
TRIED = (-2, -1, 0, 1, 2)
"""Einstein radii that are tried, in lensmill's σ from its mean."""
COARSE, FINE = 2, 4
"""Points a pixel side, to find the lens and to finish: arcs may be thinner than a pixel."""
SMALLEST = 0.5
"""Cells, the least radius of the source: arcs that fall between the points make false optima."""
SOURCE = ("center_x_source_light0", "center_y_source_light0")
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
        images = [opened[number].data for number in hdus] if hdus else _cube(opened, path, bands)
        if np.ndim(images) != 3 or len(images) != len(bands):
            raise ValueError(f"{path}: no image for each of {', '.join(bands)}; give --hdus")
        shape = np.shape(images[0])
        variances = [
            opened[f"{band}_VAR"].data if f"{band}_VAR".upper() in names else np.full(shape, s**2)
            for band, s in zip(bands, sky_sigma, strict=True)
        ]
        return np.array(images, float), np.sqrt(np.array(variances, float))


def _cube(opened: fits.HDUList, path: Path, bands: Sequence[str]) -> Array:
    """The only cube of images, its planes ordered by BANDS or BAND0, BAND1, … if they are there."""
    found = [hdu for hdu in opened if hdu.is_image and np.ndim(hdu.data) == 3]
    cubes = [hdu for hdu in found if hdu.name.upper() in ("PRIMARY", "SCI", "IMAGE")] or found
    if len(cubes) != 1:
        raise ValueError(f"{path}: {len(cubes)} cubes, and no {bands[0]}_SCI; give --hdus")
    header, count = cubes[0].header, len(cubes[0].data)
    text = header.get("BANDS", opened[0].header.get("BANDS", ""))
    names = list(text) if len(text) == count else text.replace(",", " ").split()
    names = names or [header[f"BAND{n}"] for n in range(count) if f"BAND{n}" in header]
    if not names:
        return np.asarray(cubes[0].data)
    if len(names) != count or not set(bands) <= set(names):
        raise ValueError(f"{path}: a cube of bands {names}, not of {', '.join(bands)}")
    return np.asarray(cubes[0].data)[[names.index(band) for band in bands]]


def bands_of(start: Start, images: Array, noise: Array, supersampling: int) -> list[list[Kwargs]]:
    """lenstronomy's multi_band_list; its frames are square, so the longer side is cut.

    What lensmill subtracted as background is subtracted: no component of the model is constant.

    lenstronomy samples brightness at points: the PSF is widened by what a cell adds to its
    variance, width² / 12. Cells are blurred before they are summed into pixels: else light would
    be moved to its pixel's centre.
    """
    scale, (y, x) = start["pixel_scale"], images.shape[1:]
    side = min(y, x, 2 * int(np.ceil((reach(start) + max(start["psf_fwhm"])) / scale)))
    cell = 8 * np.log(2) * (scale / supersampling) ** 2 / 12
    first_y, first_x = (y - side) // 2, (x - side) // 2
    cut = np.s_[:, first_y : first_y + side, first_x : first_x + side]
    place = {
        "ra_at_xy_0": (first_x - (x - 1) / 2) * scale,
        "dec_at_xy_0": (first_y - (y - 1) / 2) * scale,
        "transform_pix2angle": np.eye(2) * scale,
    }
    above = images - np.array(start["background"])[:, None, None]
    return [
        [
            {"image_data": image, "noise_map": sigma, **place},
            {"psf_type": "GAUSSIAN", "fwhm": np.hypot(fwhm, cell**0.5), "pixel_size": scale},
            {"supersampling_factor": supersampling, "supersampling_convolution": True},
        ]
        for image, sigma, fwhm in zip(above[cut], noise[cut], start["psf_fwhm"], strict=True)
    ]


def reach(start: Start) -> float:
    """arcsec about the centre in which pixels are fitted."""
    first, sigma = (start["kwargs_params"]["lens_model"][k][0]["theta_E"] for k in (0, 1))
    return float(2 * (first + sigma) + max(start["psf_fwhm"]))


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
        cell = start["pixel_scale"] / bands[0][2]["supersampling_factor"]
        size = self.names.index("R_sersic_source_light0")
        self.lower[size] = max(self.lower[size], SMALLEST * cell)
        self.first, self.scale = (self.args({p: params[p][k] for p in params}) for k in (0, 1))
        self.theta_E = start["kwargs_params"]["lens_model"][0][0]["theta_E"]
        self.models = [
            SingleBandMultiModel(bands, start["kwargs_model"], band_index=band)
            for band in range(len(bands))
        ]
        good = np.all([np.isfinite(d["image_data"] / d["noise_map"]) for d, _, _ in bands], 0)
        self.mask = good & (self.radius() < reach(start))

    def radius(self) -> Array:
        """Distance of each pixel from the stamp's centre, arcsec."""
        data = self.bands[0][0]
        step = np.arange(len(data["image_data"])) * self.start["pixel_scale"]
        return np.hypot(data["ra_at_xy_0"] + step, (data["dec_at_xy_0"] + step)[:, None])

    def args(self, kwargs: Kwargs) -> Array:
        """Parameters as an array."""
        return self.param.kwargs2args(**{f"kwargs_{part}": each for part, each in kwargs.items()})

    def kwargs(self, args: Array) -> dict[str, list[Kwargs]]:
        """Parameters as lenstronomy's keyword arguments."""
        kwargs = self.param.args2kwargs(np.asarray(args))
        return {f"kwargs_{part}": kwargs[f"kwargs_{part}"] for part in PARTS}

    def light(self, kwargs: dict[str, list[Kwargs]]) -> list[Array]:
        """Each component at unit amplitude before the PSF, the same in every band."""
        model = self.models[0]
        x, y = model.ImageNumerics.coordinates_evaluate
        lens, source, galaxy = (kwargs[f"kwargs_{part}"] for part in PARTS)
        arcs, _ = model.source_mapping.image_flux_split(x, y, lens, source)
        parts, _ = model.LensLightModel.functions_split(x, y, galaxy)
        return [np.nan_to_num(each) for each in (*arcs, *parts)]

    def residuals(self, args: Array) -> Array:
        """(data − model) / σ of every band, with the best amplitudes that are not negative."""
        light = self.light(self.kwargs(args))
        found = []
        for model, (data, _, _) in zip(self.models, self.bands, strict=True):
            sigma, blur = data["noise_map"][self.mask], model.ImageNumerics.re_size_convolve
            response = np.array([blur(each)[self.mask] / sigma for each in light])
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


def places(fit: Fit, args: Array, count: int, tried: Sequence[float] = (0,)) -> list[Array]:
    """`args` with each Einstein radius `tried`, in σ from its mean, and the source where it is
    best of a grid of `count` by `count` places over that radius; best first.
    """
    theta_E, x, y = map(fit.names.index, ("theta_E_lens0", *SOURCE))
    steps = np.linspace(-0.8, 0.8, count)
    inside = [(i, j) for i in steps for j in steps if np.hypot(i, j) < 0.85]
    best = []
    for sigmas in tried:
        radius = fit.theta_E * np.exp(sigmas * fit.scale[theta_E] / fit.theta_E)
        there = [np.array(args) for _ in inside]
        for each, step in zip(there, inside, strict=True):
            each[theta_E], each[[x, y]] = radius, np.multiply(step, radius)
        best.append(min((chi2(fit.residuals(each)), list(each)) for each in there))
    return [np.array(each) for _, each in sorted(best)]


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
    start: Start, images: Array, noise: Array, supersampling: int = FINE, free: bool = False
) -> dict[str, Any]:
    """What was found: lenstronomy's keyword arguments, χ² per pixel before and after, converged."""
    coarse, fit = (
        Fit(start, bands_of(start, images, noise, points)) for points in (COARSE, supersampling)
    )
    (rough,) = places(coarse, coarse.first, 4)
    _, light = solve(coarse, rough, "lens_light", max_nfev=15, ftol=1e-3)
    coarse.mask = fit.mask = without_neighbours(coarse, light)
    best = places(coarse, light, 8, TRIED)[:STARTS]
    tried = (solve(coarse, args, max_nfev=12, ftol=1e-3) for args in best)
    first = min(tried, key=lambda each: each[0].cost)[1]
    done, args = solve(fit, first, prior=not free, max_nfev=60, xtol=1e-4, ftol=1e-4)
    pixels = len(fit.bands) * fit.mask.sum()
    return {
        "converged": bool(done.status > 0),
        "chi2_start": chi2(fit.residuals(rough)) / pixels,
        "chi2": chi2(fit.residuals(args)) / pixels,
        "kwargs_result": fit.kwargs(args),
    }


def main() -> None:
    """Reads the command line, fits, writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("start", type=Path)
    parser.add_argument("stamp", type=Path)
    parser.add_argument("--hdus", help="HDU of each band's image, such as 1,4,7")
    parser.add_argument("--supersampling", type=int, default=FINE)
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
