"""FITS layouts: one object from its files, or many from one cube per band."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from lensmill.survey.choose import choose
from lensmill.survey.labels import file_label
from lensmill.survey.planes import Plane, opened, read_planes
from lensmill.survey.raw import RawBand, RawStamp, as_array, as_variance, require_same_shape
from lensmill.survey.reading import Entry, Reading, StampError, Unreadable, unreadable

NOISE_KINDS = ("variance", "rms", "weight")

Cubes = dict[tuple[str, str], tuple[NDArray[Any], fits.Header]]
"""(cube, header) by band and kind."""


def read_object(entry: Entry, reading: Reading) -> RawStamp:
    """The object whose images, noise maps and PSFs lie in `entry.files`, however arranged."""
    files = _needed(entry, reading.bands)
    planes = [plane for file in files for plane in read_planes(file, reading.bands)]
    images = [plane for plane in planes if plane.kind == "image"]
    if not images:
        kinds = ", ".join(sorted({plane.kind for plane in planes}))
        raise StampError("no_image", f"{entry.source}: only {kinds}, no image beside it")
    choice = choose(images, entry.source, reading)
    noise = first_companions(planes, entry.source, reading)
    psfs = companions(planes, "psf", entry.source, reading)
    bands = tuple(
        _raw_band(choice.planes[band], noise.get(band), psfs.get(band)) for band in reading.bands
    )
    return RawStamp(entry.id, entry.source, bands, choice.how, choice.found)


def _needed(entry: Entry, bands: tuple[str, ...]) -> tuple[Path, ...]:
    """Files of the asked bands; all files where one is missing, to tell the user what there is."""
    bands_of = {file: file_label(file, bands).band for file in entry.files}
    if not set(bands) <= set(bands_of.values()):
        return entry.files
    return tuple(file for file, band in bands_of.items() if band in (None, *bands))


def first_companions(planes: list[Plane], source: str, reading: Reading) -> dict[str, Plane]:
    """Noise maps by band: of the first kind of which there are any."""
    every = (companions(planes, kind, source, reading) for kind in NOISE_KINDS)
    return next(filter(None, every), {})


def companions(planes: list[Plane], kind: str, source: str, reading: Reading) -> dict[str, Plane]:
    """Planes of `kind` by band; none where there are none or nothing says which is which."""
    there = [plane for plane in planes if plane.kind == kind]
    try:
        return choose(there, source, replace(reading, hdus=None)).planes
    except StampError:
        return {}


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
    for index in entry.chosen(count):
        name = f"{entry.id}_{index:0{len(str(count - 1))}d}"
        try:
            bands = tuple(_cube_band(cubes, band, index) for band in reading.bands)
            yield RawStamp(name, entry.source, bands, "file name", found)
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
    return {
        (label.band, label.kind): _cube(file)
        for file, label in labels.items()
        if label.band in bands
    }


def _cube(file: Path) -> tuple[NDArray[Any], fits.Header]:
    """The first image of `file` as it lies on disk, and its header."""
    with opened(file, memmap=True) as hdus:
        for hdu in hdus:
            if hdu.is_image and hdu.data is not None and hdu.data.ndim >= 2:
                return hdu.data, hdu.header
    raise StampError("no_image", f"{file.name}: no image")


def _cube_band(cubes: Cubes, band: str, index: int) -> RawBand:
    cube, header = cubes[band, "image"]
    psf, psf_header = cubes.get((band, "psf"), (None, None))
    kind = next((kind for kind in NOISE_KINDS if (band, kind) in cubes), None)
    return RawBand(
        as_array(cube[index]),
        None if kind is None else as_variance(kind, cubes[band, kind][0][index]),
        None if psf is None else as_array(psf[index] if psf.ndim == 3 else psf),
        header,
        psf_header,
    )


def count_in_cubes(entry: Entry) -> int:
    """Number of objects in the first cube, by its header."""
    with opened(entry.files[0]) as hdus:
        shapes = (hdu.shape for hdu in hdus if hdu.is_image and len(hdu.shape) >= 2)
        return int(np.prod(next(shapes, ())[:-2], dtype=int))
