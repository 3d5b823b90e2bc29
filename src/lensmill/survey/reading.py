"""Reading: how a folder is to be read, and what was found in it."""

from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import NamedTuple

from lensmill.physics.surveys import Survey

MIN_SIDE = 16
"""Pixels. Smaller stamps hold too little sky to know its noise."""


@dataclass(frozen=True)
class Reading:
    """How a folder is to be read; what the user gives here goes before what the files say.

    bands: in the order in which the pipeline wants them.
    survey: gives pixel scale and FWHM where files do not.
    pixel_scale: arcsec. psf_fwhm: arcsec, per band.
    hdus: number of the FITS HDU (0 is the primary) that holds the image of each band.
    positions: a table of positions at which stamps are cut from the folder's tiles; None: the
        folder holds stamps.
    cut: shape (y, x) of those stamps, pixels.
    mask_bits: bits of the tiles' masks that mean an unusable pixel, where masks do not say so.
    """

    bands: tuple[str, ...] = ("g", "r", "i")
    survey: Survey | None = None
    pixel_scale: float | None = None
    psf_fwhm: tuple[float, ...] | None = None
    hdus: tuple[int, ...] | None = None
    positions: Path | None = None
    cut: tuple[int, int] = (64, 64)
    mask_bits: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if not self.bands or len(set(self.bands)) < len(self.bands):
            raise ValueError(f"bands: name one or more, each once, not {self.bands}")
        self._check_per_band("psf_fwhm", self.psf_fwhm)
        self._check_per_band("hdus", self.hdus)
        if not all(0 < fwhm < inf for fwhm in self.psf_fwhm or ()):
            raise ValueError(f"psf_fwhm: {self.psf_fwhm} arcsec are not all positive")
        if self.pixel_scale is not None and not 0 < self.pixel_scale < inf:
            raise ValueError(f"pixel_scale: {self.pixel_scale} arcsec is not positive")
        if min(self.cut) < MIN_SIDE:
            raise ValueError(f"cut: {self.cut} pixels (y, x); {MIN_SIDE} are needed along each")
        if not all(0 <= bit < 63 for bit in self.mask_bits or ()):
            raise ValueError(f"mask_bits: {self.mask_bits} are not all from 0 to 62")

    def _check_per_band(self, key: str, values: tuple[float, ...] | None) -> None:
        if values is not None and len(values) != len(self.bands):
            bands = ", ".join(self.bands)
            raise ValueError(f"{key}: {len(values)} values for {len(self.bands)} bands ({bands})")


class Position(NamedTuple):
    """Where on the sky an object is: degrees."""

    id: str
    ra: float
    dec: float


@dataclass(frozen=True)
class Entry:
    """One object, one file of many, or a tile and the positions to cut from it, as listed."""

    id: str
    layout: str
    files: tuple[Path, ...]  # those with the image first
    source: str  # file name of the first, relative to the folder
    positions: tuple[Position, ...] = ()  # on the tile, sorted by its rows
    rows: tuple[int, int] | None = None  # of a file of many: from the first to before the second

    def chosen(self, count: int) -> range:
        """Which of the `count` objects of its file are its own."""
        first, end = self.rows or (0, count)
        return range(first, min(end, count))


@dataclass(frozen=True)
class Unreadable:
    """An object that could not be read, and why."""

    id: str
    source: str
    reason: str  # a sentence that names the file and what is wrong
    flag: str  # a machine word


class StampError(ValueError):
    """Why an object cannot be read: a machine word, `flag`, and a sentence."""

    def __init__(self, flag: str, reason: str) -> None:
        super().__init__(reason)
        self.flag = flag


def unreadable(name: str, source: str, error: Exception) -> Unreadable:
    """`error` as the row of an object."""
    if isinstance(error, StampError):
        return Unreadable(name, source, str(error), error.flag)
    reason = f"{source}: {type(error).__name__}: {error}".splitlines()[0]
    return Unreadable(name, source, reason, "unreadable")
