"""Celestial: pixel scale and position of a stamp from its header."""

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from astropy.coordinates import FK5, SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_area, proj_plane_pixel_scales, wcs_to_celestial_frame
from numpy.typing import NDArray

from lensmill.survey.reading import StampError

ARCSEC = 3600.0
PLAUSIBLE_SCALE = (1e-3, 30.0)
"""arcsec; a header without CD or CDELT claims 3600."""
SAME = 1.01
"""Pixels, and their sides, that differ by less count as the same and as square."""
SHIFTED = 0.25
"""Pixels by which bands may lie beside each other without a flag."""
APART = 1.0
"""Pixels from which on two bands show two places, or one of them is turned."""

FAR = 1e9
"""Pixels, to where a WCS does not reach."""

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
    ra: float  # degrees (ICRS), of the centre of the image
    dec: float
    header: fits.Header
    elongation: float = 1.0  # of a pixel: its longer side by its shorter

    def at(self, x: int, y: int, ra: float, dec: float) -> "Celestial":
        """That of a cut-out whose first pixel is (x, y) of the image and that shows (ra, dec)."""
        header = self.header.copy()
        header["CRPIX1"] = header.get("CRPIX1", 0.0) - x
        header["CRPIX2"] = header.get("CRPIX2", 0.0) - y
        return replace(self, ra=ra, dec=dec, header=header)

    def pixels(self, ra: Floats, dec: Floats) -> tuple[Floats, Floats]:
        """(x, y) of positions in degrees (ICRS), from 0 at the centre of the first pixel."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wcs = WCS(self.header)
            if (frame := _other_frame(wcs)) is not None:
                there = SkyCoord(ra, dec, unit="deg").transform_to(frame).spherical
                ra, dec = there.lon.deg, there.lat.deg
            x, y = wcs.all_world2pix(ra, dec, 0, quiet=True)
        return x, y

    def shifts(self, other: "Celestial", shape: tuple[int, int]) -> Floats:
        """Pixels (corner, 2) by which `other` has the corners of an image of `shape` elsewhere."""
        corners = np.array([(x, y) for x in (0, shape[1] - 1) for y in (0, shape[0] - 1)], float)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ra, dec = _positions(WCS(self.header), corners)
        return np.nan_to_num(np.stack(other.pixels(ra, dec), 1) - corners, nan=FAR)


def one_scale(
    source: str, skies: Mapping[str, Celestial | None], given: float | None
) -> float | None:
    """The pixel scale that all bands of `skies` have, arcsec; that which is `given`, if any.

    None where no band has a WCS; StampError where their pixels differ or are not square.
    """
    there = {name: sky for name, sky in skies.items() if sky is not None}
    if given is not None or not there:
        return given
    for name, sky in there.items():
        if sky.elongation > SAME:
            raise StampError(
                "pixels_not_square",
                f"{source}: the pixels of band {name} are not square: one side is "
                f"{sky.elongation:.3f} of the other; resample, or give pixel_scale",
            )
    scales = {name: sky.pixel_scale for name, sky in there.items()}
    if max(scales.values()) > SAME * min(scales.values()):
        listed = ", ".join(f"{name} {scale:.4f}″" for name, scale in scales.items())
        raise StampError("scale_mismatch", f"{source}: bands of different pixels: {listed}")
    return next(iter(scales.values()))


def celestial(header: fits.Header | None, shape: tuple[int, int]) -> Celestial | None:
    """The celestial WCS in `header` of an image of `shape` (y, x), or None."""
    if header is None or "CTYPE1" not in header:
        return None
    keys = (key for key in header if _KEY.fullmatch(key))
    return _parsed(tuple((key, header[key]) for key in keys), shape)


def agreeing(
    source: str, skies: Mapping[str, Celestial | None], shape: tuple[int, int], given: float | None
) -> tuple[Celestial | None, tuple[str, ...]]:
    """The first WCS of the bands, and a flag where another band is shifted against it.

    StampError where one shows another place or is turned; or has other pixels, if no scale is
    `given`.
    """
    one_scale(source, skies, given)
    there = {name: sky for name, sky in skies.items() if sky is not None}
    if not there:
        return None, ()
    name, first = next(iter(there.items()))
    own = first.header.tostring()  # most bands share one WCS, and to compare two takes longer
    alike = {n: s for n, s in there.items() if _alike(s, first) and s.header.tostring() != own}
    shifts = {n: float(np.hypot(*first.shifts(s, shape).T).max()) for n, s in alike.items()}
    other = max(shifts, key=shifts.__getitem__, default=name)
    most = shifts.get(other, 0.0)
    if most > APART:
        raise StampError(
            "wcs_mismatch",
            f"{source}: bands {name} and {other} do not show the same sky: by their WCS their "
            f"corners are up to {most:.1f} pixels apart; resample them to one grid",
        )
    return first, ("bands_shifted",) * (most > SHIFTED)


def _alike(one: Celestial, other: Celestial) -> bool:
    """Whether their pixels are of one size; where not, and one is given, they are not believed."""
    return 1 / SAME < one.pixel_scale / other.pixel_scale < SAME


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
    sides = proj_plane_pixel_scales(wcs)
    (ra,), (dec,) = _positions(wcs, np.array([[(shape[1] - 1) / 2, (shape[0] - 1) / 2]]))
    elongation = float(max(sides) / min(sides))
    return Celestial(scale, float(ra), float(dec), wcs.to_header(relax=True), elongation)


def _positions(wcs: WCS, pixels: Floats) -> tuple[Floats, Floats]:
    """(ra, dec), ICRS degrees, of `pixels` (x, y), whatever the frame of `wcs`."""
    longitude, latitude = wcs.all_pix2world(pixels, 0).T
    if (frame := _other_frame(wcs)) is None:
        return longitude, latitude
    sky = SkyCoord(longitude, latitude, unit="deg", frame=frame).icrs
    return sky.ra.deg, sky.dec.deg


def _other_frame(wcs: WCS) -> Any:
    """The frame of `wcs`, where it is not ICRS.

    FK5 of J2000 is, to 0.03″: to convert it takes longer than to read the stamp. So is a RADESYS
    that nobody knows, of a right ascension.
    """
    try:
        frame = wcs_to_celestial_frame(wcs)
    except ValueError:
        if wcs.wcs.lngtyp == "RA":
            return None
        raise
    icrs = frame.name == "icrs" or (isinstance(frame, FK5) and frame.equinox == "J2000")
    return None if icrs else frame
