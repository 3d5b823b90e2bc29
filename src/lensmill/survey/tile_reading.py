"""Tile reading: stamps cut from a tile, whose rows are read once."""

import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lensmill.survey.planes import Plane
from lensmill.survey.raw import RawBand, RawStamp, as_array, as_variance
from lensmill.survey.reading import Entry, Reading, Unreadable, unreadable
from lensmill.survey.tile_bands import Tile, TileBand, open_tile
from lensmill.survey.windows import Corners, Strip

STRIP = 256
"""Pixels. Windows that begin within so many rows of the first are read together."""

CENTRE = 2
"""Pixels on either side of the middle that are a stamp's centre."""


@dataclass(frozen=True)
class BandStrip:
    """One band of a group of windows, in memory."""

    band: TileBand
    image: Strip
    noise: Strip | None
    mask: Strip | None
    psf: NDArray[Any] | None


def read_tile(entry: Entry, reading: Reading) -> Iterator[RawStamp | Unreadable]:
    """A stamp for each position of `entry`, in its order; what is wrong becomes an Unreadable.

    Where the tile itself cannot be used, each of its positions says why; a tile without positions
    is one Unreadable.
    """
    everything = entry.chosen(len(entry.positions))
    with ExitStack() as stack:
        try:
            tile = open_tile(entry, reading, stack)
        except Exception as error:
            yield from _refused(entry, everything, error)
            return
        for group in _groups(tile.bands[0].corners[:, 1], everything):
            yield from _read_group(entry, tile, group, reading)


def read_off_tile(entry: Entry, reading: Reading) -> Iterator[Unreadable]:
    """Why each position of `entry` has no stamp."""
    for name, ra, dec in (entry.positions[index] for index in entry.chosen(len(entry.positions))):
        where = f"{entry.source}: the position of {name} (ra {ra:.6g}, dec {dec:.6g})"
        if np.isfinite([ra, dec]).all() and abs(dec) <= 90:
            yield Unreadable(name, entry.source, f"{where} is on none of the tiles", "off_tile")
        else:
            yield Unreadable(name, entry.source, f"{where} is not on the sky", "bad_position")


def _refused(entry: Entry, group: range, error: Exception) -> Iterator[Unreadable]:
    """A row for each position; one for the tile where it has none."""
    names = [entry.positions[index].id for index in group] or [entry.id]
    return (unreadable(name, entry.source, error) for name in names)


def _groups(rows: NDArray[np.int64], chosen: range) -> Iterator[range]:
    """Those of the `chosen` windows that are read together, by their first rows."""
    start = chosen.start
    for end in range(start + 1, chosen.stop + 1):
        if end == chosen.stop or abs(rows[end] - rows[start]) >= STRIP:
            yield range(start, end)
            start = end


def _read_group(
    entry: Entry, tile: Tile, group: range, reading: Reading
) -> Iterator[RawStamp | Unreadable]:
    try:
        strips = [_band_strip(band, band.corners[group], reading) for band in tile.bands]
    except Exception as error:
        yield from _refused(entry, group, error)
        return
    for index in group:
        try:
            yield _raw_stamp(entry, tile, strips, index, reading)
        except Exception as error:
            yield from _refused(entry, range(index, index + 1), error)


def _band_strip(band: TileBand, corners: Corners, reading: Reading) -> BandStrip:
    def strip(plane: Plane | None) -> Strip | None:
        return None if plane is None else plane.data.strip(corners, reading.cut)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        psf = None if band.psf is None else band.psf.data.read(slice(None), slice(None))
        image = band.image.data.strip(corners, reading.cut)
        return BandStrip(band, image, strip(band.noise), strip(band.mask), psf)


def _raw_stamp(
    entry: Entry, tile: Tile, strips: list[BandStrip], index: int, reading: Reading
) -> RawStamp:
    position, first = entry.positions[index], tile.bands[0]
    bands = tuple(_raw_band(strip, index, reading.cut) for strip in strips)
    x, y = first.corners[index].tolist()
    return RawStamp(
        position.id,
        entry.source,
        bands,
        tile.bands_from,
        tile.bands_found,
        sky=first.sky.at(x, y, position.ra, position.dec),
        flags=tile.flags + _edge_flags(first, index, reading.cut) + _mask_flags(bands),
    )


def _raw_band(strip: BandStrip, index: int, cut: tuple[int, int]) -> RawBand:
    band = strip.band
    x, y = band.corners[index].tolist()
    noise = strip.noise and strip.noise.cut(x, y, cut, np.nan)
    masked = None
    if strip.mask is not None and band.bits is not None:
        masked = (strip.mask.cut(x, y, cut, 0.0).astype(np.int64) & band.bits) != 0
    return RawBand(
        strip.image.cut(x, y, cut, np.nan),
        as_variance(band.noise.kind, noise) if band.noise is not None else None,
        None if strip.psf is None else as_array(strip.psf),
        psf_header=None if band.psf is None else band.psf.header,
        psf_fwhm=band.fwhm or _mapped_fwhm(band, x + cut[1] // 2, y + cut[0] // 2),
        masked=masked,
    )


def _mapped_fwhm(band: TileBand, x: int, y: int) -> float | None:
    """arcsec, of the map at pixel (x, y); None where it has none."""
    if band.fwhm_map is None:
        return None
    height, width = band.fwhm_map.data.shape
    x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
    value = float(band.fwhm_map.data.read(slice(y, y + 1), slice(x, x + 1))[0, 0])
    return value if value > 0 else None


def _edge_flags(band: TileBand, index: int, cut: tuple[int, int]) -> tuple[str, ...]:
    x, y = band.corners[index]
    height, width = band.image.data.shape
    inside = x >= 0 and y >= 0 and x + cut[1] <= width and y + cut[0] <= height
    return () if inside else ("at_tile_edge",)


def _mask_flags(bands: tuple[RawBand, ...]) -> tuple[str, ...]:
    masks = [band.masked for band in bands if band.masked is not None]
    if not any(mask.any() for mask in masks):
        return ()
    y, x = (side // 2 for side in masks[0].shape)
    centre = (slice(y - CENTRE, y + CENTRE + 1), slice(x - CENTRE, x + CENTRE + 1))
    return ("masked", "masked_centre") if any(m[centre].any() for m in masks) else ("masked",)
