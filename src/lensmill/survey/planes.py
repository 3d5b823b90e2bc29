"""Planes: every image of a FITS file, with what names its band and its kind."""

import gzip
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from lensmill.survey.labels import Label, extname_label, file_label, header_bands
from lensmill.survey.raw import Array, as_array
from lensmill.survey.reading import StampError

GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True)
class Plane:
    """One image (y, x) of a FITS file. `names`: its band by EXTNAME, by header, by file name."""

    data: Array
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


def read_planes(path: Path, bands: tuple[str, ...]) -> list[Plane]:
    """All planes of `path`: 2-D images, the planes of 3-D cubes, images in one-row tables."""
    by_file = file_label(path, bands)
    with opened(path) as hdus:
        first = hdus[0].header
        planes = [
            plane
            for number, hdu in enumerate(hdus)
            if (data := _image(hdu)) is not None
            for plane in _split(data, number, hdu, first, by_file, path, bands)
        ]
        if not planes:
            raise StampError("no_image", f"{path.name}: no image in its {len(hdus)} HDUs")
        return planes


def _image(hdu: Any) -> Array | None:
    """Image of `hdu`, 2-D or 3-D; that in the `image` column of a one-row table."""
    if not hdu.is_image:
        return _image_in_table(hdu) if isinstance(hdu, fits.BinTableHDU) else None
    array = None if hdu.data is None else np.squeeze(as_array(hdu.data))
    return array if array is not None and array.ndim in (2, 3) else None


def _image_in_table(hdu: Any) -> Array | None:
    names = [name for name in hdu.columns.names if name.lower() == "image"]
    if not names or len(hdu.data) != 1:
        return None
    array = as_array(hdu.data[names[0]][0])
    return array if array.ndim == 2 else None


def _split(
    data: Array,
    number: int,
    hdu: Any,
    first: fits.Header,
    by_file: Label,
    path: Path,
    bands: tuple[str, ...],
) -> Iterator[Plane]:
    cube = data.reshape(-1, *data.shape[-2:])
    by_name = extname_label(hdu.name, bands)
    kind = by_name.kind if by_file.kind == "image" else by_file.kind
    by_header = header_bands(hdu.header, len(cube), bands)
    if by_header[0] is None:
        by_header = header_bands(first, len(cube), bands)
    extname = by_name.band if len(cube) == 1 else None
    for image, name in zip(cube, by_header, strict=True):
        yield Plane(image, kind, number, (extname, name, by_file.band), hdu.header, path)
