"""Twelve ways in which a stamp is broken, and the flag that each should get."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from small_survey import BANDS, SHAPE, wcs

Break = Callable[[Path], None]


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:9000])


def _text(path: Path) -> None:
    path.write_text("<html>404: not the file you are looking for</html>\n" * 300)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _cut_gzip(path: Path) -> None:
    path.write_bytes(gzip.compress(path.read_bytes(), mtime=0)[:2000])


def _table(path: Path) -> None:
    column = fits.Column("x", "E", array=[1.0])
    fits.BinTableHDU.from_columns([column]).writeto(path, overwrite=True)


def _changed(change: Callable[[Any], Any]) -> Break:
    """A break that astropy makes."""

    def make(path: Path) -> None:
        with fits.open(path, memmap=False) as hdus:
            hdus.verify("silentfix")
            change(hdus)
            content = fits.HDUList([hdu.copy() for hdu in hdus])
        content.writeto(path, overwrite=True)

    return make


def _of_band(suffix: str, value: Any, bands: tuple[str, ...] = BANDS) -> Break:
    """`value`, or what it makes of the old one, as the data of an extension."""

    def change(hdus: Any) -> None:
        for band in bands:
            hdu = hdus[f"{band}_{suffix}"]
            hdu.data = np.asarray(value(hdu.data), np.float32)

    return _changed(change)


def _without_a_band(hdus: Any) -> None:
    del hdus["r_SCI"], hdus["r_VAR"]


def _other_pixels(hdus: Any) -> None:
    hdus["i_SCI"].header.update(wcs(0.3))


def _half_gone(image: Any) -> Any:
    return np.where(np.arange(SHAPE[1]) < 22, np.nan, image)


def _tiny(hdus: Any) -> None:
    for hdu in hdus[1:]:
        hdu.data = hdu.data[:9, :8]


BREAKS: dict[str, tuple[Break, str]] = {
    "cut off": (_cut, "truncated"),
    "a page of HTML": (_text, "not_fits"),
    "empty": (_empty, "not_fits"),
    "gzip cut off": (_cut_gzip, "truncated"),
    "a table": (_table, "no_image"),
    "a band missing": (_changed(_without_a_band), "missing_band"),
    "all NaN": (_of_band("SCI", lambda image: np.full_like(image, np.nan)), "all_nan"),
    "half NaN": (_of_band("SCI", _half_gone), "too_many_bad"),
    "one value": (_of_band("SCI", lambda image: np.full_like(image, 3)), "zero_variance"),
    "tiny": (_changed(_tiny), "too_small"),
    "bands of unlike shapes": (
        _of_band("SCI", lambda image: image[1:], ("i",)),
        "shape_mismatch",
    ),
    "bands of unlike pixels": (_changed(_other_pixels), "scale_mismatch"),
}
