"""Planes: every image of a FITS file, with what names its band and its kind."""

import gzip
import re
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from math import isqrt
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from lensmill.survey.labels import Label, extname_label, file_label, header_bands
from lensmill.survey.raw import Array, as_array
from lensmill.survey.reading import StampError

GZIP_MAGIC = b"\x1f\x8b"

_IMAGE_COLUMN = re.compile(r"image|band_\w+", re.IGNORECASE)


@dataclass(frozen=True)
class Plane:
    """One image (y, x) of a FITS file. `names`: its band by EXTNAME, by header, by file name."""

    data: Any  # Array, or the Rows of a tile
    kind: str
    hdu: int
    names: tuple[str | None, str | None, str | None]
    header: fits.Header
    file: Path


@contextmanager
def opened(path: Path, memmap: bool = False) -> Iterator[fits.HDUList]:
    """The HDUs of `path`; StampError "not_fits" or "truncated"; astropy's warnings stay here."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with fits.open(_unzipped(path), memmap=memmap) as hdus:
                yield hdus
            if _cut(caught):  # in the middle of a header: astropy passes over it
                raise EOFError
        except Exception as error:
            raise _explained(path, error, _cut(caught)) from None


def _unzipped(path: Path) -> Path | BytesIO:
    """`path`, or its whole content if gzipped (astropy passes over the end of a cut one)."""
    with path.open("rb") as file:
        if file.read(2) != GZIP_MAGIC:
            return path
        file.seek(0)
        return BytesIO(gzip.decompress(file.read()))


def _cut(caught: list[warnings.WarningMessage]) -> bool:
    """Did astropy warn that the file ends too early?"""
    texts = [str(warning.message) for warning in caught]
    return any("truncated" in text or "validating header" in text for text in texts)


def _explained(path: Path, error: Exception, cut: bool) -> Exception:
    """`error` in the user's words, where it is one of a broken file."""
    if cut or isinstance(error, EOFError | zlib.error):
        return StampError("truncated", f"{path.name}: the file ends before its data do")
    if isinstance(error, OSError) and error.errno is not None:
        return StampError("unreadable", f"{path.name}: {error.strerror}")
    if isinstance(error, OSError):
        return StampError("not_fits", f"{path.name}: not a FITS file ({_first_sentence(error)})")
    return error


def _first_sentence(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0].split(". ")[0]


def open_to_keep(path: Path) -> fits.HDUList:
    """All HDUs of `path` and none of their pixels, for the caller to close; errors as `opened`."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            hdus = fits.open(_unzipped(path), memmap=False, lazy_load_hdus=False)
        except Exception as error:
            raise _explained(path, error, _cut(caught)) from None
    if _cut(caught):
        hdus.close()
        raise _explained(path, EOFError(), True)
    return hdus


def read_planes(path: Path, bands: tuple[str, ...]) -> list[Plane]:
    """All planes of `path`: 2-D images, the planes of 3-D cubes, images in one-row tables."""
    with opened(path) as hdus:
        planes = planes_of(hdus, path, bands, _arrays, file_label(path, bands))
        if not planes:
            raise StampError("no_image", f"{path.name}: no image in its {len(hdus)} HDUs")
        return planes


def planes_of(
    hdus: fits.HDUList,
    path: Path,
    bands: tuple[str, ...],
    images: Callable[[Any], Sequence[Any]],
    by_file: Label,
) -> list[Plane]:
    """What `images` finds in each of `hdus`, with what names it."""
    first = hdus[0].header
    return [
        plane
        for number, hdu in enumerate(hdus)
        if len(found := images(hdu))
        for plane in _named(found, number, hdu, first, by_file, path, bands)
    ]


def _arrays(hdu: Any) -> Sequence[Array]:
    image = _image(hdu)
    return [] if image is None else list(image.reshape(-1, *image.shape[-2:]))


def _image(hdu: Any) -> Array | None:
    """Image of `hdu`, 2-D or 3-D; that in the image column of a one-row table."""
    if not hdu.is_image:
        return _image_in_table(hdu) if isinstance(hdu, fits.BinTableHDU) else None
    array = None if hdu.data is None else np.squeeze(as_array(hdu.data))
    return array if array is not None and array.ndim in (2, 3) else None


def _image_in_table(hdu: Any) -> Array | None:
    """The column `image` or `band_g`; a flat one is square."""
    names = [name for name in hdu.columns.names if _IMAGE_COLUMN.fullmatch(name)]
    if not names or len(hdu.data) != 1:
        return None
    array = as_array(hdu.data[names[0]][0])
    side = isqrt(array.size)
    if array.ndim == 1 and side**2 == array.size:
        array = array.reshape(side, side)
    return array if array.ndim == 2 else None


def _named(
    images: Sequence[Any],
    number: int,
    hdu: Any,
    first: fits.Header,
    by_file: Label,
    path: Path,
    bands: tuple[str, ...],
) -> Iterator[Plane]:
    by_name = extname_label(hdu.name, bands)
    kind = by_name.kind if by_file.kind == "image" else by_file.kind
    by_header = header_bands(hdu.header, len(images), bands)
    if by_header[0] is None:
        by_header = header_bands(first, len(images), bands)
    extname = by_name.band if len(images) == 1 else None
    for image, name in zip(images, by_header, strict=True):
        yield Plane(image, kind, number, (extname, name, by_file.band), hdu.header, path)
