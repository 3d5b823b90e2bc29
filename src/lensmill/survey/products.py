"""Products: pictures and FITS images of one object."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL.PngImagePlugin import PngInfo

from lensmill.evaluation.pictures import strip
from lensmill.quantities import CLEAN, NOISY, SKY_SIGMA, SOURCE, Batch
from lensmill.survey.stamps import Stamp

Array = NDArray[np.float32]


def safe_name(identifier: str, part: int, number: int) -> str:
    """A file name for an object: its part, number, and the harmless characters of its id."""
    return f"{part:05d}_{number:05d}_{harmless(identifier)}".rstrip("._")


def harmless(identifier: str) -> str:
    """The characters of an object's id that no file system minds, 60 at most."""
    return re.sub(r"[^A-Za-z0-9.+-]+", "_", identifier)[:60]


def write_picture(path: Path, predicted: Batch, row: int, bands: tuple[str, ...]) -> None:
    """The five panels of object `row` as a PNG."""
    noisy, clean, source = (_image(predicted, q.name, row) for q in (NOISY, CLEAN, SOURCE))
    sigma = predicted[SKY_SIGMA.name][row].cpu().numpy()
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = PngInfo()
    shape.add_text("shape", "{} {}".format(*noisy.shape[1:]))  # (y, x) pixels of the stamp
    strip(noisy, clean, source, sigma, bands).save(path, pnginfo=shape)


def write_images(path: Path, stamp: Stamp, predicted: Batch, row: int) -> None:
    """INPUT, DENOISED, SOURCE and LENS_LIGHT as (band, y, x) extensions with the input's WCS."""
    from astropy.io import fits

    noisy, clean, source = (_image(predicted, q.name, row) for q in (NOISY, CLEAN, SOURCE))
    products = {"INPUT": noisy, "DENOISED": clean, "SOURCE": source, "LENS_LIGHT": clean - source}
    hdus = [fits.PrimaryHDU()]
    for name, data in products.items():
        header = stamp.wcs_header.copy() if stamp.wcs_header is not None else fits.Header()
        header["BANDS"] = (",".join(stamp.bands), "order of the planes")
        hdus.append(fits.ImageHDU(data, header, name=name))
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.HDUList(hdus).writeto(path, overwrite=True)


def _image(predicted: Batch, name: str, row: int) -> Array:
    image: Array = predicted[name][row].float().cpu().numpy()
    return image
