"""Windows: parts of large images, read some rows at a time."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from lensmill.survey.planes import Plane, planes_of
from lensmill.survey.raw import Array
from lensmill.survey.tile_names import tile_label

Corners = NDArray[np.int64]
"""(position, 2): x and y of the first pixel of each window; may be off the image."""


@dataclass(frozen=True)
class Rows:
    """An image (y, x) of an open FITS file, of which nothing has been read yet."""

    hdu: Any
    plane: int | None = None  # of a cube

    @property
    def shape(self) -> tuple[int, int]:
        """(y, x)."""
        return int(self.hdu.shape[-2]), int(self.hdu.shape[-1])

    def read(self, rows: slice, columns: slice) -> NDArray[Any]:
        """Pixels as they are stored. Whole rows lie together on disk, unless compressed."""
        first = () if self.plane is None else (self.plane,)
        if isinstance(self.hdu, fits.CompImageHDU):
            return np.asarray(self.hdu.section[(*first, rows, columns)])
        return np.asarray(self.hdu.section[(*first, rows)])[:, columns]

    def strip(self, corners: Corners, cut: tuple[int, int]) -> "Strip":
        """The part of the image that the windows of shape `cut` (y, x) at `corners` cover."""
        low = np.clip(corners.min(0), 0, self.shape[::-1])
        high = np.clip(corners.max(0) + cut[::-1], low, self.shape[::-1])
        pixels = self.read(slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0])))
        return Strip(pixels, int(low[0]), int(low[1]))


@dataclass(frozen=True)
class Strip:
    """Some rows and columns of an image, from pixel (x, y) on."""

    pixels: NDArray[Any]
    x: int
    y: int

    def cut(self, x: int, y: int, shape: tuple[int, int], fill: float) -> Array:
        """The window of `shape` (y, x) from pixel (x, y) of the image on; `fill` beyond it."""
        window = np.full(shape, fill)
        height, width = self.pixels.shape
        top, left = y - self.y, x - self.x
        rows = slice(max(top, 0), max(min(top + shape[0], height), 0))
        columns = slice(max(left, 0), max(min(left + shape[1], width), 0))
        part = self.pixels[rows, columns]
        into = window[max(-top, 0) :, max(-left, 0) :]
        into[: part.shape[0], : part.shape[1]] = part
        return window


def tile_planes(hdus: fits.HDUList, path: Path, bands: tuple[str, ...]) -> list[Plane]:
    """All images of an open file of a tile, not read yet."""
    return planes_of(hdus, path, bands, _rows, tile_label(path, bands))


def _rows(hdu: Any) -> list[Rows]:
    if not hdu.is_image or len(hdu.shape) not in (2, 3):
        return []
    if len(hdu.shape) == 2:
        return [Rows(hdu)]
    return [Rows(hdu, plane) for plane in range(hdu.shape[0])]
