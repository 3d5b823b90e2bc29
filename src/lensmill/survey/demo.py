"""Demo: simulate a few systems, write them as survey files, and run the chain on them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lensmill.grid import Grid
from lensmill.physics.surveys import LSST_10YEAR
from lensmill.quantities import Batch
from lensmill.simulation.observing import Observing
from lensmill.simulation.population.priors import Priors
from lensmill.simulation.simulator import Simulator
from lensmill.survey.run import Summary, run
from lensmill.survey.stamps import Reading

GRID = Grid((61, 67), 0.2)
SEED = 2026

Report = Callable[[float, str], None]


def demo(out: Path, *, count: int = 48, report: Report = lambda share, line: None) -> Summary:
    """Simulate `count` LSST stamps into `out/stamps` and run the shipped chain into `out/run`.

    Half are lenses. `out/truth.ecsv` says which, and their Einstein radii.
    """
    simulator = Simulator(Priors(brightening=1.5), Observing(LSST_10YEAR), GRID)
    truth = simulator(SEED, torch.arange(count))
    write_stamps(out / "stamps", truth, simulator.observing.bands)
    write_truth(out / "truth.ecsv", truth)
    return run(out / "stamps", out / "run", reading=Reading(), report=report)


def write_stamps(folder: Path, batch: Batch, bands: tuple[str, ...]) -> None:
    """One FITS file per object: image, variance and PSF of each band as named extensions."""
    from astropy.io import fits

    folder.mkdir(parents=True, exist_ok=True)
    for number in range(len(batch["noisy"])):
        hdus = [fits.PrimaryHDU()]
        for band, name in enumerate(bands):
            hdus += _band_hdus(batch, number, band, name)
        fits.HDUList(hdus).writeto(folder / f"demo_{number:03d}.fits", overwrite=True)


def _band_hdus(batch: Batch, number: int, band: int, name: str) -> list[Any]:
    from astropy.io import fits

    image = batch["noisy"][number, band].numpy()
    sigma = float(batch["sky_sigma"][number, band])
    scale = float(batch["pixel_scale"][number])
    fwhm = float(batch["psf_fwhm"][number, band]) / scale
    variance = (sigma**2 + image.clip(min=0)).astype(np.float32)
    products = {"SCI": image, "VAR": variance, "PSF": _gaussian(fwhm)}
    header = _wcs_header(image.shape, scale, number)
    return [
        fits.ImageHDU(data, header if kind == "SCI" else None, name=f"{name}_{kind}")
        for kind, data in products.items()
    ]


def _gaussian(fwhm: float) -> NDArray[np.float32]:
    """A Gaussian PSF image; `fwhm` in pixels."""
    half = int(np.ceil(2 * fwhm))
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    kernel = np.exp(-4 * np.log(2) * (x**2 + y**2) / fwhm**2)
    return (kernel / kernel.sum()).astype(np.float32)


def _wcs_header(shape: tuple[int, ...], scale: float, number: int) -> Any:
    """A tangent-plane WCS, +y north, stamps strewn along a line of right ascension."""
    from astropy.wcs import WCS

    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.cdelt = [-scale / 3600, scale / 3600]
    wcs.wcs.crpix = [(shape[1] + 1) / 2, (shape[0] + 1) / 2]
    wcs.wcs.crval = [150.0 + 0.01 * number, 2.2]
    return wcs.to_header()


def write_truth(path: Path, batch: Batch) -> None:
    """What was simulated, as a table."""
    from astropy.table import QTable

    table = QTable()
    table["id"] = [f"demo_{number:03d}" for number in range(len(batch["noisy"]))]
    table["is_lens"] = batch["is_lens"].numpy() > 0.5
    table["theta_E"] = batch["theta_E"].numpy()
    table["theta_E"].unit = "arcsec"
    table["source_snr"] = batch["source_snr"].numpy()
    table.write(path, overwrite=True)
