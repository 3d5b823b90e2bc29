"""A survey of small stamps and a light chain: for what is not about networks."""

import json
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from astropy.io import fits
from numpy.typing import NDArray

from lensmill.training.build import build_stage
from lensmill.training.checkpoint import save_stage
from lensmill.training.recipe import read_recipe

SHAPE = (32, 36)
BANDS = ("g", "r", "i")
FILE = 1000
"""Stamps in an HDF5 file."""
DIFFERENT = 10
"""Files with pixels of their own; the others are the same under another name."""
Images = NDArray[np.float32]


def light_weights(folder: Path) -> Path:
    """Untrained stages of smoke.toml, with cards; the networks' last layers are not zero."""
    torch.manual_seed(0)
    folder.mkdir(parents=True)
    recipe = read_recipe(Path("smoke"))
    for name, part in recipe.stages.items():
        stage = build_stage(part)
        for parameter in stage.parameters():
            torch.nn.init.normal_(parameter, std=0.05)
        save_stage(folder / f"{name}.safetensors", stage, part)
        card = {"recipe": recipe.model_dump(mode="json")}
        (folder / f"{name}.json").write_text(json.dumps(card))
    return folder


def images(count: int, seed: int) -> Images:
    """(count, band, y, x): galaxies of all brightnesses in noise of 1."""
    random = np.random.default_rng(seed)
    y, x = np.indices(SHAPE, np.float32)
    radius = np.hypot(y - SHAPE[0] / 2, x - SHAPE[1] / 2)
    peak = 10 ** random.uniform(0.5, 2.5, (count, len(BANDS), 1, 1))
    size = random.uniform(1.5, 4, (count, 1, 1, 1))
    noise = random.normal(size=(count, len(BANDS), *SHAPE))
    return (peak * np.exp(-radius / size) + noise).astype(np.float32)


def write_shards(folder: Path, count: int) -> Path:
    """`count` stamps in HDF5 files."""
    folder.mkdir(parents=True)
    for number, start in enumerate(range(0, count, FILE)):
        path = folder / f"{number:05d}.h5"
        if number >= DIFFERENT:
            os.link(folder / f"{number % DIFFERENT:05d}.h5", path)
            continue
        with h5py.File(path, "w") as file:
            file["image"] = images(min(FILE, count - start), number)
            file.attrs.update({"pixel_scale": 0.2, "psf_fwhm": 0.8, "bands": ",".join(BANDS)})
    return folder


def write_fits(folder: Path, count: int) -> list[Path]:
    """`count` stamps, a FITS file each, their bands and noise maps as extensions."""
    folder.mkdir(parents=True)
    template = folder / "template"
    planes(np.zeros((len(BANDS), *SHAPE), np.float32)).writeto(template)
    whole = template.read_bytes()
    with fits.open(template) as hdus:
        starts = [hdus[f"{band}_SCI"].fileinfo()["datLoc"] for band in BANDS]
    template.unlink()
    return [_filled(folder / f"stamp_{k:06d}.fits", whole, starts, k) for k in range(count)]


def _filled(path: Path, whole: bytes, starts: list[int], number: int) -> Path:
    """The template with pixels of its own: astropy writes a file in 30 times the time."""
    content = bytearray(whole)
    for start, image in zip(starts, images(1, number)[0], strict=True):
        pixels = image.astype(">f4").tobytes()
        content[start : start + len(pixels)] = pixels
    path.write_bytes(content)
    return path


def planes(image: Images, variance: float = 1.0) -> fits.HDUList:
    """(band, y, x) as named extensions with a WCS."""
    hdus: list[Any] = [fits.PrimaryHDU()]
    for band, plane in zip(BANDS, image, strict=True):
        hdus.append(fits.ImageHDU(plane, wcs(), name=f"{band}_SCI"))
        noise = np.full(plane.shape, variance, np.float32)
        hdus.append(fits.ImageHDU(noise, name=f"{band}_VAR"))
    return fits.HDUList(hdus)


def wcs(scale: float = 0.2) -> fits.Header:
    """A tangent plane; `scale` in arcsec."""
    return fits.Header(
        {
            "CTYPE1": "RA---TAN",
            "CTYPE2": "DEC--TAN",
            "CRPIX1": SHAPE[1] / 2,
            "CRPIX2": SHAPE[0] / 2,
            "CRVAL1": 150.0,
            "CRVAL2": 2.0,
            "CDELT1": -scale / 3600,
            "CDELT2": scale / 3600,
        }
    )
