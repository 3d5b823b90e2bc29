"""Our observing conditions beside those of two coadds of DC2, the simulated Rubin survey.

    python benchmarks/dc2_coadd.py FOLDER

FOLDER: `dc2_coadd`, with images, variances, PSF kernels, empty sky and exposure maps of two
galaxies in g, r, i (LSST-strong-lensing/data_public). Noise: theirs by variance plane and on the
empty sky, ours at their number of visits, all at zero point 27; and what `visits` draws for as
many. PSF: a star through the Moffat that fits their kernel best, and through the kernel as an
image. Writes numbers, no pixels, to benchmarks/results/dc2_coadd.json.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import least_squares

from lensmill.grid import Grid
from lensmill.physics.kernels import Lattice, Moffat, PsfImage
from lensmill.physics.noise import observe
from lensmill.physics.psf_width import measure_fwhm
from lensmill.physics.surveys import LSST_10YEAR, Survey
from lensmill.provenance import provenance
from lensmill.simulation.observing import Observing
from lensmill.simulation.rendering import Sampling, render
from lensmill.simulation.scene import Conditions, Mass, Scene, Sersic
from lensmill.survey.conditions import estimate_sky_sigma

RESULTS = Path(__file__).parent / "results" / "dc2_coadd.json"
SYSTEMS = {"1": ("dc2_galaxy", "dc2"), "2": ("dc2_galaxy_2", "dc2_2")}
"""What the names of each system's images, and of its maps, begin with."""
ZERO_POINT, PIXEL_SCALE, VISIT = 27.0, 0.2, 30.0
RADII = (0.4, 1.0, 2.0, 3.0)
DRAWS = 1000
Array = NDArray[np.float64]


def load(folder: Path, name: str) -> Array:
    """One of the arrays."""
    return np.load(folder / f"{name}.npy").astype(np.float64)


# --- noise


def lag_one(sky: Array) -> float:
    """Correlation of neighbouring pixels."""
    sky = sky - sky.mean()
    products = (sky[1:] * sky[:-1]).mean() + (sky[:, 1:] * sky[:, :-1]).mean()
    return float(products / 2 / sky.var())


def sky_numbers(sky: Array) -> dict[str, float]:
    """Spread of empty sky, our reader's estimate of it, correlation of neighbours."""
    return {
        "standard_deviation": float(sky.std()),
        "reader_estimate": estimate_sky_sigma(sky),
        "lag_one_correlation": lag_one(sky),
    }


def at_zero_point(conditions: Conditions, column: int) -> Array:
    """σ of empty sky at zero point 27."""
    zero_point, sigma = (getattr(conditions, n)[:, column] for n in ("zero_point", "sky_sigma"))
    return (sigma * 10 ** (-0.4 * (zero_point - ZERO_POINT))).double().numpy()


def our_noise(survey: Survey, column: int) -> dict[str, Any]:
    """σ at the survey's numbers, on simulated empty sky of it, and for visits that are drawn."""
    conditions = Observing(survey).draw(1, torch.arange(1), PIXEL_SCALE)
    sigma = float(at_zero_point(conditions, column)[0])
    electrons = conditions.sky_sigma[:, column : column + 1]
    normal = torch.randn(1, 1, 200, 210, generator=torch.Generator().manual_seed(1))
    empty = observe(torch.zeros_like(normal), electrons, normal)[0, 0] * (sigma / electrons)
    drawn = Observing(survey, visits=True).draw(1, torch.arange(DRAWS), PIXEL_SCALE)
    return {
        "sigma": sigma,
        **sky_numbers(empty.double().numpy()),
        "visits_sigma_16_50_84": quantiles(at_zero_point(drawn, column)),
        "visits_fwhm_16_50_84": quantiles(drawn.psf_fwhm[:, column].double().numpy()),
    }


def quantiles(values: Array) -> list[float]:
    """Median and one standard deviation to either side."""
    return [float(value) for value in np.quantile(values, (0.16, 0.5, 0.84))]


def noise(folder: Path, system: str, column: int, band: str) -> dict[str, Any]:
    """Theirs and ours."""
    image, maps = SYSTEMS[system]
    visits = float(np.median(load(folder, f"{maps}_exposure_time_{band}")) / VISIT)
    theirs = float(np.sqrt(np.median(load(folder, f"{image}_variance_{band}"))))
    ours = our_noise(LSST_10YEAR.with_visits(visits), column)
    return {
        "visits": visits,
        "theirs": {"sigma": theirs, **sky_numbers(load(folder, f"{maps}_background_{band}"))},
        "ours": ours,
        "ratio": ours["sigma"] / theirs,
    }


# --- PSF


def fit_moffat(kernel: Array) -> tuple[float, ...]:
    """(FWHM, β, e1, e2) of the Moffat whose mean over pixels is nearest to `kernel`."""
    lattice = Lattice(Grid(kernel.shape, PIXEL_SCALE), 3, 0)
    cells = torch.zeros(1, 1, *(3 * side for side in kernel.shape), dtype=torch.float64)
    cells[..., cells.shape[-2] // 2, cells.shape[-1] // 2] = 1 / lattice.cell**2

    def residual(values: Array) -> Array:
        fwhm, beta, e1, e2 = torch.tensor(values)[:, None, None]
        model = lattice.flux(cells, Moffat(beta, e1, e2).spectrum(fwhm, lattice))
        return (model[0, 0].numpy() - kernel).ravel() / kernel.max()

    return tuple(least_squares(residual, [0.75, 3.0, 0.0, 0.0]).x.tolist())


def star(fwhm: float, psf: Moffat | PsfImage, shape: tuple[int, ...]) -> Array:
    """A star of one electron in the middle, as the simulator draws it."""
    one, zero = torch.ones(1, 1), torch.zeros(1, 1)
    point = Sersic(zero[..., None], 0.005 * one, one, one, zero, zero, zero)
    dark = Sersic(torch.full((1, 1, 1), torch.inf), one, one, one, zero, zero, zero)
    mass = Mass(zero[0], one[0], zero[0], zero[0], zero[0])
    scene = Scene(zero[0] > 0, mass, point, dark, zero[0], zero[0])
    conditions = Conditions(fwhm * one, zero, one, psf)
    clean, _ = render(scene, conditions, Grid((shape[0], shape[1]), PIXEL_SCALE), Sampling(3))
    return clean[0, 0].double().numpy()


def radii(shape: tuple[int, ...]) -> Array:
    """arcsec from the middle."""
    y, x = (PIXEL_SCALE * (np.arange(n) - (n - 1) / 2) for n in shape)
    return np.hypot(y[:, None], x)


def within(image: Array) -> list[float]:
    """Share of the light within `RADII`."""
    return [float(image[radii(image.shape) < radius].sum() / image.sum()) for radius in RADII]


def profile(image: Array) -> Array:
    """Mean brightness at `RADII`, on rings a pixel wide."""
    ring = np.rint(radii(image.shape) / PIXEL_SCALE)
    return np.array([image[ring == round(radius / PIXEL_SCALE)].mean() for radius in RADII])


def profile_numbers(image: Array, kernel: Array) -> dict[str, Any]:
    """How far `image` is from `kernel`."""
    return {
        "worst_pixel": float(np.abs(image - kernel).max() / kernel.max()),
        "profile_ratio": (profile(image) / profile(kernel)).tolist(),
        "fwhm": measure_fwhm(image) * PIXEL_SCALE,
        "within": within(image),
    }


def psf(folder: Path, system: str, band: str) -> dict[str, Any]:
    """Their kernel, and our star through its best Moffat and through its image."""
    kernel = load(folder, f"{SYSTEMS[system][0]}_kernel_{band}")
    kernel = kernel / kernel.sum()
    fwhm, beta, e1, e2 = fit_moffat(kernel)
    moffat = Moffat(*(torch.tensor([[value]]) for value in (beta, e1, e2)))
    image = PsfImage(torch.from_numpy(kernel).float()[None, None], torch.tensor([[PIXEL_SCALE]]))
    return {
        "theirs": {"fwhm": measure_fwhm(kernel) * PIXEL_SCALE, "within": within(kernel)},
        "moffat": {"fwhm": fwhm, "beta": beta, "e1": e1, "e2": e2},
        "ours_as_moffat": profile_numbers(star(fwhm, moffat, kernel.shape), kernel),
        "ours_as_image": profile_numbers(star(fwhm, image, kernel.shape), kernel),
    }


def rounded(value: Any) -> Any:
    """Four significant digits."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


@torch.no_grad()
def main() -> None:
    """Compare, print and write."""
    folder = Path(sys.argv[1])
    systems = {
        system: {
            band: {"noise": noise(folder, system, k, band), "psf": psf(folder, system, band)}
            for k, band in enumerate(LSST_10YEAR.bands)
        }
        for system in SYSTEMS
    }
    maps = [load(folder, f"dc2_exposure_time_{band}") for band in "gi"]
    result = {
        "radii_arcsec": list(RADII),
        "systems": rounded(systems),
        "exposure_map_of_system_1_the_same_in_g_and_i": bool(np.array_equal(*maps)),
        "source": "LSST-strong-lensing/data_public: two galaxies of DC2 coadds, zero point 27",
        **provenance(command="benchmarks/dc2_coadd.py FOLDER"),
    }
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
