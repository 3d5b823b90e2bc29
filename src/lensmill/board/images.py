"""Images: the five panels of a candidate as PNG, from its FITS file or else from its picture."""

import io
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from astropy.io import fits
from jaxtyping import Float
from PIL import Image

from lensmill.board.candidates import PRODUCT
from lensmill.evaluation.pictures import (
    GAP,
    STRETCHES,
    Picture,
    colour,
    local_residual,
    residual_panel,
    white_level,
)

PANELS = ("input", "denoised", "source", "lens_light", "residual")
"""In the order of a picture."""
COLOUR = "colour"
SETTLED = 2_000_000_000
"""Nanoseconds after which a folder's time of change tells all changes."""
BROKEN = (OSError, ValueError, KeyError, TypeError, IndexError, Image.DecompressionBombError)
"""What half a file, or no image at all, raises."""

Row = Mapping[str, Any]
Images = dict[str, Float[np.ndarray, "band y x"]]


@dataclass(frozen=True)
class Look:
    """How images are shown."""

    band: str = COLOUR  # or one band's name, in grey
    stretch: str = "asinh"
    white: float = 1.0  # times the level that would be fully bright; 0.5 is brighter

    def __post_init__(self) -> None:
        if self.stretch not in STRETCHES:
            raise ValueError(f"no stretch {self.stretch!r}; choices: {', '.join(STRETCHES)}")
        if not 1e-3 <= self.white <= 1e3:
            raise ValueError(f"white: between 0.001 and 1000, not {self.white}")


class Products:
    """The image files in a run's folder, and none outside of it."""

    def __init__(self, run: Path) -> None:
        self.run = run.resolve()
        self._by_number: dict[str, str] = {}
        self._listed: int | None = None  # when the folder, as it is listed, was changed
        self._lock = Lock()

    def images(self, row: Row) -> Path | None:
        """The FITS file of a candidate."""
        name = str(row.get(PRODUCT) or "")
        exact = self._inside(f"images/{name}.fits")
        if exact is not None or not name.endswith("_"):
            return exact
        if name not in self._by_number:
            self._list()
        return self._inside(f"images/{self._by_number.get(name, '')}")

    def _list(self) -> None:
        """The files by part and number: once for all who ask, and again when more have come."""
        folder = self.run / "images"
        with self._lock:
            changed = folder.stat().st_mtime_ns if folder.is_dir() else 0
            if changed != self._listed:
                self._by_number = {path.name[:12]: path.name for path in folder.glob("*.fits")}
                # A file may yet come within the same tick of the clock.
                self._listed = changed if time.time_ns() - changed > SETTLED else None

    def picture(self, row: Row) -> Path | None:
        """The PNG file with the five panels of a candidate."""
        return self._inside(str(row.get("picture") or ""))

    def _inside(self, name: str) -> Path | None:
        try:
            path = (self.run / name).resolve()
            return path if path.is_relative_to(self.run) and path.is_file() else None
        except (OSError, ValueError):  # too long, or a NUL in it
            return None


def panel(products: Products, row: Row, name: str, look: Look) -> bytes | None:
    """One of `PANELS` as PNG, +y up; None where the run did not keep it, or it cannot be read."""
    for read in (_from_images, _from_picture):
        try:
            if (picture := read(products, row, name, look)) is not None:
                return _png(picture)
        except BROKEN:
            continue
    return None


def shape(products: Products, row: Row) -> tuple[int, int] | None:
    """Pixels (y, x) of a candidate's stamp."""
    try:
        if path := products.images(row):
            header = fits.getheader(path, "DENOISED")
            return int(header["NAXIS2"]), int(header["NAXIS1"])
        if path := products.picture(row):
            with Image.open(path) as image:
                y, x = str(image.info["shape"]).split()
            return int(y), int(x)
    except BROKEN:
        pass
    return None


def _from_images(products: Products, row: Row, name: str, look: Look) -> Image.Image | None:
    path = products.images(row)
    if path is None:
        return None
    images, bands = _read(path)
    sigma = np.array([float(row.get(f"sky_sigma_{band}") or 1) for band in bands])
    images = {key: image / sigma[:, None, None] for key, image in images.items()}
    if look.band in bands:
        place = bands.index(look.band)
        images = {key: image[place : place + 1] for key, image in images.items()}
        bands = [look.band]
    return Image.fromarray(_picture(images, bands, name, look))


def _read(path: Path) -> tuple[Images, list[str]]:
    with fits.open(path, memmap=False) as hdus:
        bands = str(hdus["DENOISED"].header["BANDS"]).split(",")
        images = {hdu.name.lower(): hdu.data.astype(np.float64) for hdu in hdus[1:]}
    return images, bands


def _picture(images: Images, bands: list[str], name: str, look: Look) -> Picture:
    """As in a run's own pictures: all on the denoised image's scale, but the source on its own."""
    if name == "residual":
        return residual_panel(local_residual(images["input"], images["denoised"]) / look.white)
    scale = white_level(images["source" if name == "source" else "denoised"])
    return colour(images[name], bands, scale * look.white, look.stretch)


def _from_picture(products: Products, row: Row, name: str, look: Look) -> Image.Image | None:
    """The panel cut out of the picture, which has one stretch and all bands."""
    path = products.picture(row)
    if path is None:
        return None
    with Image.open(path) as strip:
        width = (strip.width + GAP) // len(PANELS)
        left = PANELS.index(name) * width
        return strip.convert("RGB").crop((left, 0, left + width - GAP, strip.height))


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
