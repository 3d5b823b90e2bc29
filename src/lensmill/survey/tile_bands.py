"""Tile bands: an open tile, sorted out: which plane is what of which band, and which pixels."""

from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from lensmill.survey.celestial import APART, SHIFTED, Celestial, Floats, celestial, one_scale
from lensmill.survey.choose import choose
from lensmill.survey.fits_layouts import companions, first_companions
from lensmill.survey.masks import unusable_bits
from lensmill.survey.planes import Plane, open_to_keep
from lensmill.survey.raw import require_same_shape
from lensmill.survey.reading import Entry, Reading, StampError
from lensmill.survey.tile_names import tile_label
from lensmill.survey.windows import Corners, tile_planes

TIE = 1e-6
"""Pixels. Half-way between two windows it is the later, whatever the WCS loses in its digits."""


@dataclass(frozen=True)
class TileBand:
    """One band of a tile, unread; where each position's window is in it, in the entry's order."""

    image: Plane
    sky: Celestial
    corners: Corners  # (position, 2): first pixel (x, y) of each window
    offsets: Floats  # (position, 2): pixels from the middle of the window to the position
    noise: Plane | None
    mask: Plane | None
    bits: int | None  # of the mask: unusable
    psf: Plane | None  # an image, the same everywhere
    fwhm_map: Plane | None  # arcsec
    fwhm: float | None  # arcsec, the same everywhere


@dataclass(frozen=True)
class Tile:
    """An open tile: the asked bands, what named them, and every band that was found."""

    bands: tuple[TileBand, ...]
    bands_from: str
    bands_found: tuple[str, ...]
    flags: tuple[str, ...]


def open_tile(entry: Entry, reading: Reading, stack: ExitStack) -> Tile:
    """The tile of `entry`, its files open until `stack` closes; StampError says what is wrong."""
    planes = _planes(entry, reading, stack)
    images = [plane for plane in planes if plane.kind == "image"]
    if not images:
        raise StampError("no_image", f"{entry.source}: no image of {', '.join(reading.bands)}")
    choice = choose(images, entry.source, reading)
    named = {band: choice.planes[band] for band in reading.bands}
    sides = {"noise": first_companions(planes, named, entry.source, reading)}
    for side, kind in {"mask": "mask", "psf": "psf", "fwhm_map": "fwhm"}.items():
        sides[side] = _for_all(planes, kind, named, entry.source, reading)
    bands = tuple(
        _band(entry, name, image, {k: v.get(name) for k, v in sides.items()}, reading)
        for name, image in named.items()
    )
    skies = {name: band.sky for name, band in zip(named, bands, strict=True)}
    one_scale(entry.source, skies, reading.pixel_scale)
    _check_turned(entry.source, skies, images[0].data.shape, reading)
    return Tile(bands, choice.how, choice.found, _flags(bands))


def _planes(entry: Entry, reading: Reading, stack: ExitStack) -> list[Plane]:
    """Those of the asked bands; of all, where one is missing, to tell the user what there is."""
    labels = {file: tile_label(file, reading.bands) for file in entry.files}
    complete = set(reading.bands) <= {label.band for label in labels.values()}
    needed = [
        file
        for file, label in labels.items()
        if label.kind != "psfex" and (not complete or label.band in (None, *reading.bands))
    ]
    opened = [(file, stack.enter_context(open_to_keep(file))) for file in needed]
    return [plane for file, hdus in opened for plane in tile_planes(hdus, file, reading.bands)]


def _for_all(
    planes: list[Plane], kind: str, images: dict[str, Plane], source: str, reading: Reading
) -> dict[str, Plane]:
    """Planes of `kind` by band; a single one without a name is that of every band."""
    there = [plane for plane in planes if plane.kind == kind]
    if len(there) == 1 and not any(there[0].names):
        return dict.fromkeys(reading.bands, there[0])
    return companions(planes, kind, images, source, reading)


def _band(
    entry: Entry, name: str, image: Plane, sides: dict[str, Plane | None], reading: Reading
) -> TileBand:
    sky = celestial(image.header, image.data.shape)
    if sky is None:
        raise StampError("no_wcs", f"{image.file.name}: no celestial WCS for band {name}")
    same = {f"{kind} of {name}": sides[kind] for kind in ("noise", "mask", "fwhm_map")}
    shapes = {what: plane.data.shape for what, plane in same.items() if plane is not None}
    require_same_shape(entry.source, {name: image.data.shape, **shapes})
    corners, offsets = _windows(entry, sky, reading.cut)
    mask = sides["mask"]
    bits = None if mask is None else unusable_bits(mask, name, reading)
    fwhm = _model_fwhm(entry, name, sky.pixel_scale, reading)
    return TileBand(image, sky, corners, offsets, bits=bits, fwhm=fwhm, **sides)


def _windows(entry: Entry, sky: Celestial, cut: tuple[int, int]) -> tuple[Corners, Floats]:
    """The window of each position, its middle within half a pixel of it."""
    ra, dec = (np.array([getattr(p, axis) for p in entry.positions]) for axis in ("ra", "dec"))
    first = np.stack(sky.pixels(ra, dec), 1) - (np.array(cut[::-1]) - 1) / 2
    corners = np.floor(first + 0.5 + TIE)
    return corners.astype(np.int64), first - corners


def _model_fwhm(entry: Entry, band: str, scale: float, reading: Reading) -> float | None:
    """arcsec, of the PSFEx model of the band beside the tile."""
    for file in entry.files:
        label = tile_label(file, reading.bands)
        if (label.kind, label.band) == ("psfex", band):
            with open_to_keep(file) as hdus:
                return float(hdus[1].header["PSF_FWHM"]) * scale
    return None


def _check_turned(
    source: str, skies: dict[str, Celestial], shape: tuple[int, int], reading: Reading
) -> None:
    """StampError where a band is turned: it may lie elsewhere, but a cut would not be the same."""
    name, *others = skies
    for other in others if reading.pixel_scale is None else ():
        spread = np.ptp(skies[name].shifts(skies[other], shape), axis=0).max()
        if skies[name] is not skies[other] and spread * max(reading.cut) > APART * max(shape):
            raise StampError("wcs_mismatch", f"{source}: band {other} is turned against {name}")


def _flags(bands: tuple[TileBand, ...]) -> tuple[str, ...]:
    """What holds for the whole tile."""
    offsets = np.stack([band.offsets for band in bands])
    shifted = offsets.size and np.ptp(offsets, axis=0).max() > SHIFTED
    unknown = any(band.mask is not None and band.bits is None for band in bands)
    return ("bands_shifted",) * bool(shifted) + ("mask_not_used",) * unknown
