"""Celestial: pixel scale and position of a stamp from its header."""

import re
import warnings
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_area
from numpy.typing import NDArray

ARCSEC = 3600.0
PLAUSIBLE_SCALE = (1e-3, 30.0)
"""arcsec; a header without CD or CDELT claims 3600."""

Floats = NDArray[np.float64]
Cards = tuple[tuple[str, str | float], ...]

_KEY = re.compile(
    r"(CTYPE|CUNIT|CRVAL|CRPIX|CDELT|CROTA)\d|(CD|PC|PV)\d_\d+|LONPOLE|LATPOLE|RADE(SYS|CSYS)|"
    r"EQUINOX|(A|B|AP|BP)_(ORDER|\d_\d)"
)


@dataclass(frozen=True)
class Celestial:
    """What a celestial WCS says of an image."""

    pixel_scale: float  # arcsec: the root of the area where pixels are not square
    ra: float  # degrees, of the centre of the image
    dec: float
    header: fits.Header

    def at(self, x: int, y: int, ra: float, dec: float) -> "Celestial":
        """That of a cut-out whose first pixel is (x, y) of the image and that shows (ra, dec)."""
        header = self.header.copy()
        header["CRPIX1"] = header.get("CRPIX1", 0.0) - x
        header["CRPIX2"] = header.get("CRPIX2", 0.0) - y
        return Celestial(self.pixel_scale, ra, dec, header)

    def pixels(self, ra: Floats, dec: Floats) -> tuple[Floats, Floats]:
        """(x, y) of positions in degrees, counted from 0 at the centre of the first pixel."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            x, y = WCS(self.header).all_world2pix(ra, dec, 0, quiet=True)
        return x, y


def celestial(header: fits.Header | None, shape: tuple[int, int]) -> Celestial | None:
    """The celestial WCS in `header` of an image of `shape` (y, x), or None."""
    if header is None or "CTYPE1" not in header:
        return None
    keys = (key for key in header if _KEY.fullmatch(key))
    return _parsed(tuple((key, header[key]) for key in keys), shape)


@lru_cache(maxsize=16)
def _parsed(cards: Cards, shape: tuple[int, int]) -> Celestial | None:
    """Parsed once for the bands of an object, which mostly share their WCS."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _read(WCS(fits.Header(cards)), shape)
        except Exception:  # wcslib fails in many ways on broken headers, which are as good as none
            return None


def _read(wcs: WCS, shape: tuple[int, int]) -> Celestial | None:
    if not wcs.has_celestial:
        return None
    wcs = wcs.celestial
    scale = float(proj_plane_pixel_area(wcs)) ** 0.5 * ARCSEC
    if not PLAUSIBLE_SCALE[0] < scale < PLAUSIBLE_SCALE[1]:
        return None
    ra, dec = wcs.all_pix2world([[(shape[1] - 1) / 2, (shape[0] - 1) / 2]], 0)[0]
    return Celestial(scale, float(ra), float(dec), wcs.to_header(relax=True))
