"""Raw stamps: what the files say of one object, before anything is estimated or filled in."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from lensmill.survey.celestial import Celestial
from lensmill.survey.reading import StampError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class RawBand:
    """One band of one object; None is what the files do not say."""

    image: Array  # (y, x), image units
    variance: Array | None = None  # (y, x), image units squared; ≤ 0 or not finite: unobserved
    psf: Array | None = None  # (v, u)
    header: fits.Header | None = None
    psf_header: fits.Header | None = None
    sky_sigma: float | None = None  # image units
    psf_fwhm: float | None = None  # arcsec
    masked: NDArray[np.bool_] | None = None  # (y, x), pixels that a mask says are unusable


@dataclass(frozen=True)
class RawStamp:
    """One object as its files have it: the bands asked for, in the asked order."""

    id: str
    source: str
    bands: tuple[RawBand, ...]
    bands_from: str  # what named the bands: "EXTNAME", "header", "file name", "position", ...
    bands_found: tuple[str, ...]
    pixel_scale: float | None = None  # arcsec
    sky: Celestial | None = None  # where it is known already; else from the bands' headers
    ra: float | None = None  # degrees, where the file says it beside the image
    dec: float | None = None
    flags: tuple[str, ...] = ()


def as_array(data: Any) -> Array:
    """`data` as native float64, whatever its type and byte order."""
    return np.asarray(data, dtype=np.float64)


def as_variance(kind: str, data: Any) -> Array:
    """Variance from a map of `kind` "variance", "rms" or "weight" (inverse variance)."""
    array = as_array(data)
    if kind == "rms":
        return np.where(array > 0, array, np.nan) ** 2
    if kind == "weight":
        return np.divide(1.0, array, out=np.full_like(array, np.inf), where=array > 0)
    return array


def require_same_shape(source: str, shapes: dict[str, tuple[int, ...]]) -> None:
    """StampError "shape_mismatch" unless all `shapes`, by name, are one."""
    if len(set(shapes.values())) > 1:
        listed = ", ".join(f"{name} {'×'.join(map(str, s))}" for name, s in shapes.items())
        raise StampError("shape_mismatch", f"{source}: different shapes (y×x): {listed}")
