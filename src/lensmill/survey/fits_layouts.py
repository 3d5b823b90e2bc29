"""FITS layouts: one object from its files, or many from one cube per band."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from lensmill.survey.celestial import celestial, one_scale
from lensmill.survey.choose import POSITION, Choice, choose
from lensmill.survey.labels import Label, extname_label, file_label, match_band
from lensmill.survey.listing import BAND_FOLDERS
from lensmill.survey.planes import Plane, opened, read_planes
from lensmill.survey.raw import RawBand, RawStamp, as_array, as_variance, require_same_shape
from lensmill.survey.reading import Entry, Reading, StampError, Unreadable, unreadable

NOISE_KINDS = ("variance", "rms", "weight")

Cube = tuple[NDArray[Any], fits.Header]
Cubes = dict[tuple[str, str], Cube]
"""(cube, header) by band and kind."""


def read_object(entry: Entry, reading: Reading) -> RawStamp:
    """The object whose images, noise maps and PSFs lie in `entry.files`, however arranged."""
    files = _needed(entry, reading.bands)
    planes = [plane for file in files for plane in _planes(file, entry, reading.bands)]
    images = [plane for plane in planes if plane.kind == "image"]
    if not images:
        kinds = ", ".join(sorted({plane.kind for plane in planes}))
        raise StampError("no_image", f"{entry.source}: only {kinds}, no image beside it")
    choice = _chosen(images, entry, reading)
    named = {band: choice.planes[band] for band in reading.bands}
    noise = first_companions(planes, named, entry.source, reading)
    psfs = companions(planes, "psf", named, entry.source, reading)
    bands = tuple(
        _raw_band(image, noise.get(band), psfs.get(band)) for band, image in named.items()
    )
    return RawStamp(entry.id, entry.source, bands, choice.how, choice.found)


def _needed(entry: Entry, bands: tuple[str, ...]) -> tuple[Path, ...]:
    """Files of the asked bands; all files where one is missing, to tell the user what there is."""
    bands_of = {file: _label(file, entry, bands).band for file in entry.files}
    if not set(bands) <= set(bands_of.values()):
        return entry.files
    return tuple(file for file, band in bands_of.items() if band in (None, *bands))


def _label(file: Path, entry: Entry, bands: tuple[str, ...]) -> Label:
    """Of its name; the band may be that of its folder."""
    label = file_label(file, bands)
    if label.band is None and entry.layout == BAND_FOLDERS:
        return replace(label, band=match_band(file.parent.name, bands))
    return label


def _planes(file: Path, entry: Entry, bands: tuple[str, ...]) -> Iterator[Plane]:
    band = _label(file, entry, bands).band
    for plane in read_planes(file, bands):
        yield replace(plane, names=(plane.names[0], plane.names[1], band))


def _chosen(images: list[Plane], entry: Entry, reading: Reading) -> Choice:
    """The image of each band; the StampError says what of the files' names led here."""
    try:
        return choose(images, entry.source, reading)
    except StampError as error:
        raise StampError(error.flag, f"{error}{_hint(images, entry)}") from None


def _hint(images: list[Plane], entry: Entry) -> str:
    files = sorted({plane.file.name for plane in images})
    if len(files) > 1:
        return f"; these files count as one object: {', '.join(files)}"
    named = any(name for plane in images for name in plane.names)
    if len(images) > 1 or named:
        return ""
    return f"; the name of the file says no band: expected {Path(entry.id).name}_<band>.fits"


def first_companions(
    planes: list[Plane], images: dict[str, Plane], source: str, reading: Reading
) -> dict[str, Plane]:
    """Noise maps by band: of the first kind of which there are any."""
    every = (companions(planes, kind, images, source, reading) for kind in NOISE_KINDS)
    return next(filter(None, every), {})


def companions(
    planes: list[Plane], kind: str, images: dict[str, Plane], source: str, reading: Reading
) -> dict[str, Plane]:
    """Planes of `kind` by band; none where there are none or nothing says which is which.

    images: by band, as they were chosen. What has no name of its own belongs to an image.
    """
    there = [plane for plane in planes if plane.kind == kind]
    try:
        choice = choose(there, source, replace(reading, hdus=None))
    except StampError:
        choice = None
    if choice is not None and choice.how != POSITION:
        return choice.planes
    return {} if _named(there) else _of_images(there, planes, images)


def _named(planes: list[Plane]) -> bool:
    """Whether anything names some of them: a name that two bear names none."""
    columns = ([p.names[method] for p in planes if p.names[method]] for method in range(3))
    return any(names and len(set(names)) == len(names) for names in columns)


def _of_images(
    there: list[Plane], planes: list[Plane], images: dict[str, Plane]
) -> dict[str, Plane]:
    """Each band's: what follows its image; where they lie in a block, in the images' order.

    That is the order in the file, whichever bands are asked for in whichever order; images in
    files of their own have none.
    """
    every = [plane for plane in planes if plane.kind == "image"]
    owners = [_followed(plane, there, every) for plane in there]
    if None in owners or len({id(owner) for owner in owners}) < len(owners):
        one_file = len({plane.file for plane in every}) == len({plane.file for plane in there}) == 1
        owners = [*every] if one_file and len(every) == len(there) else []
    of = {id(owner): plane for owner, plane in zip(owners, there, strict=False)}
    found = {band: of[id(image)] for band, image in images.items() if id(image) in of}
    return found if len(found) == len(images) else {}


def _followed(plane: Plane, there: list[Plane], images: list[Plane]) -> Plane | None:
    """The image that `plane` follows in its file: of a cube, its own of that cube's planes."""
    before = [i for i in images if i.file == plane.file and i.hdu < plane.hdu]
    last = [image for image in before if image.hdu == before[-1].hdu]
    own = [p for p in there if p.file == plane.file and p.hdu == plane.hdu]
    number = next(n for n, each in enumerate(own) if each is plane)
    return last[number] if len(last) == len(own) else None


def _raw_band(image: Plane, noise: Plane | None, psf: Plane | None) -> RawBand:
    return RawBand(
        image.data,
        None if noise is None else as_variance(noise.kind, noise.data),
        None if psf is None else psf.data,
        image.header,
        None if psf is None else psf.header,
    )


def read_band_cubes(entry: Entry, reading: Reading) -> Iterator[RawStamp | Unreadable]:
    """The objects of `<band>.fits` (object, y, x); one object where the images are 2-D.

    A bad one of many is an Unreadable.
    """
    found = _require_bands(entry, reading.bands)
    cubes = _cubes(entry, reading.bands)
    shapes = {band: cubes[band, "image"][0].shape for band in reading.bands}
    if all(len(shape) == 2 for shape in shapes.values()):
        yield read_object(entry, reading)
        return
    require_same_shape(entry.source, shapes)
    count = shapes[reading.bands[0]][0]
    scale = _cube_scale(cubes, entry.source, reading)
    for index in entry.chosen(count):
        name = f"{entry.id}_{index:0{len(str(count - 1))}d}"
        try:
            bands = tuple(_cube_band(cubes, band, index, count) for band in reading.bands)
            yield RawStamp(name, entry.source, bands, "file name", found, scale)
        except Exception as error:
            yield unreadable(name, entry.source, error)


def _require_bands(entry: Entry, bands: tuple[str, ...]) -> tuple[str, ...]:
    """The bands of which there is a file; StampError "missing_band" if not all that are asked."""
    labels = [file_label(file, bands) for file in entry.files]
    found = tuple(label.band or "" for label in labels if label.kind == "image")
    if absent := [band for band in bands if band not in found]:
        raise StampError(
            "missing_band",
            f"{entry.source}: no file of band {', '.join(absent)} beside it ({', '.join(found)})",
        )
    return found


def _cubes(entry: Entry, bands: tuple[str, ...]) -> Cubes:
    labels = {file: file_label(file, bands) for file in entry.files}
    found: Cubes = {}
    for file, label in labels.items():
        if label.band in bands:
            for kind, cube in _arrays(file, label.kind, bands):
                found.setdefault((label.band, kind), cube)
    if absent := [band for band in bands if (band, "image") not in found]:
        raise StampError("no_image", f"{entry.source}: no image in the file of {absent[0]}")
    return found


def _arrays(file: Path, kind: str, bands: tuple[str, ...]) -> Iterator[tuple[str, Cube]]:
    """The images of `file` as they lie on disk: all of `kind`, or of those that EXTNAMEs say."""
    with opened(file, memmap=True) as hdus:
        for hdu in hdus:
            if hdu.is_image and hdu.data is not None and hdu.data.ndim >= 2:
                own = extname_label(hdu.name, bands).kind if kind == "image" else kind
                yield own, (hdu.data, hdu.header)


def _cube_scale(cubes: Cubes, source: str, reading: Reading) -> float | None:
    """arcsec, of the bands' WCS, which is all that holds for each of many objects."""
    headers = {band: cubes[band, "image"] for band in reading.bands}
    skies = {band: celestial(header, cube.shape[-2:]) for band, (cube, header) in headers.items()}
    return one_scale(source, skies, reading.pixel_scale)


def _cube_band(cubes: Cubes, band: str, index: int, count: int) -> RawBand:
    cube, header = cubes[band, "image"]
    psf, psf_header = cubes.get((band, "psf"), (None, None))
    kind = next((kind for kind in NOISE_KINDS if (band, kind) in cubes), None)
    return RawBand(
        as_array(cube[index]),
        None if kind is None else as_variance(kind, cubes[band, kind][0][index]),
        None if psf is None else as_array(psf[index] if psf.ndim == 3 else psf),
        header if count == 1 else None,
        psf_header,
    )


def count_in_cubes(entry: Entry) -> int:
    """Number of objects in the first cube, by its header."""
    with opened(entry.files[0]) as hdus:
        shapes = (hdu.shape for hdu in hdus if hdu.is_image and len(hdu.shape) >= 2)
        return int(np.prod(next(shapes, ())[:-2], dtype=int))
