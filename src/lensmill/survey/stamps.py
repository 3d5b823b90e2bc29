"""Stamps: the objects of a folder, one by one, as images with their conditions.

for entry in find_objects(Path("cutouts"), Reading(bands=("g", "r", "i"))):
    for stamp in read(entry, Reading()): ...
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from lensmill.survey.array_layouts import count_in_array, read_arrays
from lensmill.survey.celestial import Celestial, agreeing, celestial
from lensmill.survey.fits_layouts import count_in_cubes, read_band_cubes, read_object
from lensmill.survey.listing import ARRAYS, BAND_CUBES, PARQUET, SHARD, list_entries
from lensmill.survey.parquet_layouts import count_in_parquet, read_parquet
from lensmill.survey.placing import OFF_TILE, TILE, place_positions
from lensmill.survey.prepare import find_fwhm, prepare
from lensmill.survey.raw import RawStamp, require_same_shape
from lensmill.survey.reading import (
    MIN_SIDE,
    Entry,
    Reading,
    StampError,
    Unreadable,
    unreadable,
)
from lensmill.survey.shard_layout import count_in_shard, read_shards
from lensmill.survey.tile_reading import read_off_tile, read_tile

__all__ = [
    "MIN_SIDE",
    "Description",
    "Entry",
    "Reading",
    "Stamp",
    "Unreadable",
    "count_objects",
    "describe",
    "find_objects",
    "read",
]


@dataclass(frozen=True)
class Stamp:
    """One object as it was read: images in their own unit, and what is known about them."""

    id: str
    bands: tuple[str, ...]  # the bands asked for, in the asked order
    image: NDArray[np.float32]  # (band, y, x), finite: bad pixels are filled
    bad: NDArray[np.bool_]  # (band, y, x), pixels that were NaN or masked and are filled
    sky_sigma: NDArray[np.float32]  # (band,), image units: noise of empty sky per pixel
    psf_fwhm: NDArray[np.float32]  # (band,), arcsec
    pixel_scale: float  # arcsec
    flags: tuple[str, ...]  # what was estimated, assumed or done, for one band or more
    wcs_header: fits.Header | None  # celestial WCS of the image, if any
    ra: float | None  # degrees: the position asked for, or of the stamp's centre
    dec: float | None
    source: str  # file name it came from, relative to the folder
    background: tuple[float, ...] = ()  # (band,), image units: what was subtracted of the image


@dataclass(frozen=True)
class Description:
    """How the objects of one layout are read, shown on the first that can be."""

    layout: str
    objects: int
    example: str  # file name
    bands_found: tuple[str, ...] = ()
    bands_from: str = ""  # EXTNAME, header, file name, position, HDU number, ...
    shape: tuple[int, int] | None = None  # (y, x)
    pixel_scale: float | None = None  # arcsec
    variance_found: bool = False
    psf_found: bool = False
    flags: tuple[str, ...] = ()
    problem: str = ""  # why the example cannot be read

    def __str__(self) -> str:
        """A few lines for people."""
        head = f"{self.objects} × {self.layout}, such as {self.example}"
        if self.problem or self.shape is None:
            return f"{head}\n  cannot be read: {self.problem}"
        found = {True: "found", False: "not found"}
        lines = (
            head,
            f"bands: {', '.join(self.bands_found)}, by {self.bands_from}",
            f"shape: {self.shape[0]}×{self.shape[1]} pixels (y×x) of {self.pixel_scale:.4g}″",
            f"noise map: {found[self.variance_found]}; PSF image: {found[self.psf_found]}",
            f"flags: {', '.join(self.flags) or 'none'}",
        )
        return "\n  ".join(lines)


def find_objects(path: Path, reading: Reading) -> list[Entry]:
    """The entries of a folder (or one file), from their names alone; `count_objects` of each.

    With positions: for each tile, those on it; tiles are opened for their WCS. ValueError where
    there is no such path, nothing in it that looks like images, or no table of positions.
    """
    if reading.positions is not None:
        return place_positions(path, reading.positions, reading)
    return list_entries(path, reading)


def count_objects(entry: Entry) -> int:
    """Number of objects in `entry`: 1 but for cubes and array files, which are opened for it.

    1 also where that fails: reading it gives one Unreadable.
    """
    if entry.positions:
        return len(entry.positions)
    try:
        return _COUNTS[entry.layout](entry) if entry.layout in _COUNTS else 1
    except Exception:
        return 1


def read(entry: Entry, reading: Reading) -> Iterator[Stamp | Unreadable]:
    """The objects of `entry`; what is wrong with one becomes an Unreadable, never an exception."""
    return (_finished(raw, reading) for raw in _raw_stamps(entry, reading))


_READERS: dict[str, Callable[[Entry, Reading], Iterator[RawStamp | Unreadable]]] = {
    ARRAYS: read_arrays,
    BAND_CUBES: read_band_cubes,
    PARQUET: read_parquet,
    SHARD: read_shards,
    TILE: read_tile,
    OFF_TILE: read_off_tile,
}
_COUNTS: dict[str, Callable[[Entry], int]] = {
    ARRAYS: count_in_array,
    BAND_CUBES: count_in_cubes,
    PARQUET: count_in_parquet,
    SHARD: count_in_shard,
}


def _raw_stamps(entry: Entry, reading: Reading) -> Iterator[RawStamp | Unreadable]:
    try:
        if entry.layout in _READERS:
            yield from _READERS[entry.layout](entry, reading)
        else:
            yield read_object(entry, reading)
    except Exception as error:  # files of others fail in every way there is
        yield unreadable(_whole_name(entry), entry.source, error)


def _whole_name(entry: Entry) -> str:
    """The entry's id, and which rows of its file it is."""
    return entry.id if entry.rows is None else f"{entry.id}[{entry.rows[0]}:{entry.rows[1]}]"


def _finished(raw: RawStamp | Unreadable, reading: Reading) -> Stamp | Unreadable:
    if isinstance(raw, Unreadable):
        return raw
    try:
        return _stamp(raw, reading)
    except Exception as error:
        return unreadable(raw.id, raw.source, error)


def _stamp(raw: RawStamp, reading: Reading) -> Stamp:
    """`raw` with everything that the files do not say estimated or assumed."""
    _check_shapes(raw, reading.bands)
    sky, shifted = _celestial(raw, reading)
    pixel_scale, flags = _pixel_scale(raw, sky, reading)
    flags += shifted + raw.flags + (("bands_by_position",) if raw.bands_from == "position" else ())
    named = list(zip(reading.bands, raw.bands, strict=True))
    prepared = [prepare(band, f"{raw.source}, band {name}") for name, band in named]
    widths = [find_fwhm(band, name, pixel_scale, reading) for name, band in named]
    fwhm = {f"FWHM of {name}": width for (name, _), (width, _) in zip(named, widths, strict=True)}
    _check_conditions(raw.source, {"pixel scale": pixel_scale, **fwhm})
    every = (flags, *(band.flags for band in prepared), *(words for _, words in widths))
    return Stamp(
        id=raw.id,
        bands=reading.bands,
        image=np.stack([band.image for band in prepared]).astype(np.float32),
        bad=np.stack([band.bad for band in prepared]),
        sky_sigma=np.array([band.sky_sigma for band in prepared], np.float32),
        psf_fwhm=np.array(list(fwhm.values()), np.float32),
        pixel_scale=pixel_scale,
        flags=tuple(sorted({word for words in every for word in words})),
        wcs_header=sky.header if sky else None,
        ra=sky.ra if sky else raw.ra,
        dec=sky.dec if sky else raw.dec,
        source=raw.source,
        background=tuple(band.background for band in prepared),
    )


def _check_shapes(raw: RawStamp, names: tuple[str, ...]) -> None:
    images = {name: band.image.shape for name, band in zip(names, raw.bands, strict=True)}
    noise = {
        f"noise map of {name}": band.variance.shape
        for name, band in zip(names, raw.bands, strict=True)
        if band.variance is not None
    }
    require_same_shape(raw.source, images | noise)
    y, x = raw.bands[0].image.shape
    if min(y, x) < MIN_SIDE:
        raise StampError(
            "too_small", f"{raw.source}: {y}×{x} pixels (y×x); {MIN_SIDE}×{MIN_SIDE} are needed"
        )


def _check_conditions(source: str, conditions: dict[str, float]) -> None:
    """StampError where one, in arcsec, is none: −99 and NaN stand for what nobody knows."""
    for name, value in conditions.items():
        if not 0 < value < np.inf:
            raise StampError("bad_conditions", f"{source}: its {name} is {value:g} arcsec")


def _celestial(raw: RawStamp, reading: Reading) -> tuple[Celestial | None, tuple[str, ...]]:
    """The first WCS among the bands, and a flag; StampError where two show unlike pixels."""
    if raw.sky is not None:
        return raw.sky, ()
    y, x = raw.bands[0].image.shape
    pairs = zip(reading.bands, raw.bands, strict=True)
    skies = {name: celestial(band.header, (y, x)) for name, band in pairs}
    return agreeing(raw.source, skies, (y, x), reading.pixel_scale)


def _pixel_scale(
    raw: RawStamp, sky: Celestial | None, reading: Reading
) -> tuple[float, tuple[str, ...]]:
    """arcsec: given, from the WCS, stated by the file, or the survey's."""
    if reading.pixel_scale is not None:
        return reading.pixel_scale, ("pixel_scale_given",)
    if sky is not None:
        return sky.pixel_scale, ()
    if raw.pixel_scale is not None:
        return raw.pixel_scale, ()
    if reading.survey is not None:
        return reading.survey.pixel_scale, ("pixel_scale_assumed",)
    raise StampError(
        "no_pixel_scale", f"{raw.source}: no WCS in its header; give pixel_scale or a survey"
    )


def describe(path: Path, reading: Reading) -> list[Description]:
    """One Description for each layout in `path`; ValueError as in `find_objects`."""
    entries = sorted(find_objects(path, reading), key=lambda entry: entry.layout)
    groups = groupby(entries, key=lambda entry: entry.layout)
    return [_described(layout, list(group), reading) for layout, group in groups]


def _described(layout: str, entries: list[Entry], reading: Reading) -> Description:
    """On the first of a few entries that can be read, else on the first."""
    objects = sum(count_objects(entry) for entry in entries)
    tried = [_example(layout, objects, entry, reading) for entry in entries[:5]]
    return next((example for example in tried if not example.problem), tried[0])


def _example(layout: str, objects: int, entry: Entry, reading: Reading) -> Description:
    raw = next(_raw_stamps(entry, reading), None)
    first = _finished(raw, reading) if raw else None
    if not isinstance(first, Stamp) or not isinstance(raw, RawStamp):
        reason = first.reason if isinstance(first, Unreadable) else f"{entry.source}: empty"
        return Description(layout, objects, entry.source, problem=reason)
    return Description(
        layout,
        objects,
        entry.source,
        raw.bands_found,
        raw.bands_from,
        (first.image.shape[1], first.image.shape[2]),
        first.pixel_scale,
        all(band.variance is not None for band in raw.bands),
        all(band.psf is not None for band in raw.bands),
        first.flags,
    )
