"""Placing: which positions lie on which tile."""

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from lensmill.survey.celestial import Celestial, celestial
from lensmill.survey.labels import FITS_SUFFIXES, Label
from lensmill.survey.listing import fits_files, nothing_found
from lensmill.survey.planes import open_to_keep
from lensmill.survey.positions import read_positions
from lensmill.survey.reading import Entry, Position, Reading
from lensmill.survey.tile_names import named_by_survey, tile_label
from lensmill.survey.windows import tile_planes

TILE = "tile, and the positions on it"
OFF_TILE = "positions on no tile"

PER_ENTRY = 256
"""Positions of one entry, as many as a partition has. A tile with more is opened for each."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Footprint:
    """Where a tile lies on the sky."""

    sky: Celestial
    shape: tuple[int, int]

    def margins(self, ra: Floats, dec: Floats) -> tuple[Floats, Floats]:
        """Pixels to the nearest edge, negative outside; and the row (y)."""
        x, y = self.sky.pixels(ra, dec)
        height, width = self.shape
        return np.minimum.reduce([x + 0.5, y + 0.5, width - 0.5 - x, height - 0.5 - y]), y

    @property
    def radius(self) -> float:
        """Chord, on the unit sphere, beyond which nothing is on the tile."""
        half = np.hypot(*self.shape) / 2 * np.radians(self.sky.pixel_scale / 3600)
        return float(2 * np.sin(min(1.1 * half, np.pi) / 2))


def place_positions(folder: Path, table: Path, reading: Reading) -> list[Entry]:
    """Entries of the tiles in `folder`, each with the positions of `table` on it, by rows.

    A position on two tiles goes to the one in which it is farther from the edge. Tiles that cannot
    be placed on the sky become an entry without positions; positions on no tile, entries of their
    own. ValueError where there are no tiles or no table.
    """
    positions = read_positions(table)
    tiles = list_tiles(folder, reading)
    if not tiles:
        raise nothing_found(folder)
    footprints = [_footprint(tile, reading) for tile in tiles]
    tile_of, row = _nearest(positions, footprints)
    order = np.lexsort((row, tile_of))
    bounds = np.searchsorted(tile_of[order], np.arange(len(tiles)))
    groups = [[positions[index] for index in part] for part in np.split(order, bounds)]
    off = Entry(f"{table.name} off tiles", OFF_TILE, (), table.name)
    every = zip([off, *tiles], groups, strict=True)
    lost = [tile for tile, footprint in zip(tiles, footprints, strict=True) if footprint is None]
    return [entry for tile, group in every for entry in _split(tile, group)] + lost


def list_tiles(folder: Path, reading: Reading) -> list[Entry]:
    """The tiles of a folder and its subfolders, sorted by id; only names are looked at."""
    root = folder if folder.is_dir() else folder.parent
    groups: dict[tuple[Path | None, str], list[Path]] = defaultdict(list)
    labels = {
        file: tile_label(file, reading.bands)
        for file in fits_files(folder, (*FITS_SUFFIXES, ".psf"))
    }
    for file, label in labels.items():
        if label.kind != "other":
            # Surveys keep the bands of a tile in folders of their own.
            folder_of = None if named_by_survey(file, reading.bands) else file.parent
            groups[folder_of, label.id].append(file)
    tiles = [_tile(files, labels, root) for files in groups.values()]
    return sorted(tiles, key=lambda tile: tile.id)


def _tile(files: list[Path], labels: dict[Path, Label], root: Path) -> Entry:
    files = sorted(files, key=lambda file: (labels[file].kind != "image", file))
    name = labels[files[0]].id or files[0].parent.name
    return Entry(name, TILE, tuple(files), files[0].relative_to(root).as_posix())


def _split(tile: Entry, positions: list[Position]) -> list[Entry]:
    starts = range(0, len(positions), PER_ENTRY)
    return [replace(tile, positions=tuple(positions[s : s + PER_ENTRY])) for s in starts]


def _footprint(tile: Entry, reading: Reading) -> Footprint | None:
    """Of the first image that has one; None where reading the tile will say why not."""
    for file in tile.files:
        try:
            with open_to_keep(file) as hdus:
                planes = tile_planes(hdus, file, reading.bands)
                images = [plane for plane in planes if plane.kind == "image"]
                for plane in images:
                    if (sky := celestial(plane.header, plane.data.shape)) is not None:
                        return Footprint(sky, plane.data.shape)
        except Exception:
            continue
    return None


def _nearest(
    positions: list[Position], footprints: list[Footprint | None]
) -> tuple[NDArray[np.intp], Floats]:
    """Number of the tile of each position (-1: none), and its row there."""
    ra, dec = (np.array(values, np.float64) for values in list(zip(*positions, strict=True))[1:])
    usable = np.flatnonzero(np.isfinite(ra) & np.isfinite(dec) & (np.abs(dec) <= 90))
    tile_of, row = np.full(len(ra), -1), np.zeros(len(ra))
    margin = np.zeros(len(ra))
    tree = cKDTree(_unit(ra[usable], dec[usable]))
    for number, footprint in enumerate(footprints):
        if footprint is None or not len(usable):
            continue
        centre = _unit(np.array([footprint.sky.ra]), np.array([footprint.sky.dec]))[0]
        near = usable[tree.query_ball_point(centre, footprint.radius)]
        depth, y = footprint.margins(ra[near], dec[near])
        better = depth > margin[near]
        chosen = near[better]
        tile_of[chosen], margin[chosen], row[chosen] = number, depth[better], y[better]
    return tile_of, row


def _unit(ra: Floats, dec: Floats) -> Floats:
    """Unit vectors (position, 3)."""
    a, d = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)], 1)
