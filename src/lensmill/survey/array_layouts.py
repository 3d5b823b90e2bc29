"""Array layouts: HDF5, .npy and .npz files of (object, band, y, x) or (band, y, x)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import h5py
import numpy as np

from lensmill.survey.labels import match_band, split_bands
from lensmill.survey.raw import Array, RawBand, RawStamp, as_array, as_variance, require_same_shape
from lensmill.survey.reading import Entry, Reading, StampError, Unreadable, unreadable
from lensmill.survey.sidecar import read_sidecar

IMAGES = ("image", "noisy")
NOISE = ("variance", "rms", "weight")
PER_OBJECT = ("pixel_scale", "ra", "dec")

_EACH_BAND: tuple[tuple[str, ...], ...] = ((), ("band",), ("object", "band"))
AXES = {
    "pixel_scale": ((), ("object",)),
    "ra": (("object",),),
    "dec": (("object",),),
    "sky_sigma": _EACH_BAND,
    "psf_fwhm": _EACH_BAND,
    "psf": _EACH_BAND,  # of images (v, u)
}
"""What a value may be given for: as many objects as bands would else be taken for either."""


@dataclass(frozen=True)
class ArrayFile:
    """Named arrays of a file, and its attributes and sidecar under the same names."""

    source: str
    values: dict[str, Any]

    @property
    def image(self) -> Any:
        """The array of images, 3-D or 4-D."""
        image: Any = next((self.values[name] for name in IMAGES if name in self.values), None)
        if not hasattr(image, "shape"):  # a group of HDF5 has none
            have = ", ".join(self.values) or "nothing"
            raise StampError(
                "no_image", f"{self.source}: no array 'image' or 'noisy' in it; it has {have}"
            )
        if len(image.shape) not in (3, 4):
            raise StampError(
                "bad_shape",
                f"{self.source}: images are (object, band, y, x) or (band, y, x), "
                f"not {len(image.shape)}-D",
            )
        return image

    def names(self, reading: Reading) -> tuple[tuple[str, ...], str]:
        """Bands of the file in its own order, and what named them."""
        count = self.image.shape[-3]
        if "bands" in self.values:
            return self._given_names(count, reading), "file or sidecar"
        if count == len(reading.bands):
            return reading.bands, "position"
        raise StampError(
            "ambiguous_bands",
            f"{self.source}: {count} bands and no 'bands' in the file or a sidecar .json or .toml; "
            f"asked for {', '.join(reading.bands)}",
        )

    def _given_names(self, count: int, reading: Reading) -> tuple[str, ...]:
        given = self.values["bands"]
        if isinstance(given, np.ndarray | h5py.Dataset):
            given = given[()].tolist() if given.shape else given[()]
        texts = [_text(band) for band in given] if isinstance(given, list | tuple) else []
        if len(texts) < 2:
            texts = split_bands(_text(texts[0] if texts else given), count)
        if len(texts) != count:
            raise StampError(
                "bad_sidecar", f"{self.source}: bands {given!r} name not the {count} in it"
            )
        return tuple(match_band(text, reading.bands) or text for text in texts)

    def number(self, name: str, index: int, band: int) -> float | None:
        """`name` of object `index` in `band`, if there is any."""
        value = self.value(name, index, band)
        return None if value is None else float(value)

    def value(self, name: str, index: int, band: int) -> Array | None:
        """What of `name` is object `index`'s in `band`, by the axes that it has."""
        if name not in self.values:
            return None
        number = {"object": index, "band": band}
        where = tuple(number[axis] for axis in self._axes(name))
        value = self.values[name]
        return as_array(value[where] if hasattr(value, "shape") else as_array(value)[where])

    def check(self) -> None:
        """StampError "bad_sidecar" where a value is not of a shape that it may be of."""
        for name in filter(self.values.__contains__, AXES):
            self._axes(name)

    def _axes(self, name: str) -> tuple[str, ...]:
        *objects, bands = self.image.shape[:-2]
        count = {"object": (*objects, 1)[0], "band": bands}
        single = ((),) if count["object"] == 1 else ()
        shape, own = self._shape(name), ("v", "u") if name == "psf" else ()
        if len(shape) >= len(own):
            for axes in AXES[name] + single:
                if shape[: len(shape) - len(own)] == tuple(count[axis] for axis in axes):
                    return axes
        choices = " or ".join(f"({', '.join((*axes, *own))})" for axes in AXES[name])
        raise StampError(
            "bad_sidecar",
            f"{self.source}: {name} is of shape {shape}; it may be {choices}, of "
            f"{count['object']} objects and {bands} bands",
        )

    def _shape(self, name: str) -> tuple[int, ...]:
        value = self.values[name]
        try:
            return tuple(value.shape if hasattr(value, "shape") else as_array(value).shape)
        except (TypeError, ValueError):
            raise StampError(
                "bad_sidecar", f"{self.source}: {name} = {value!r} is neither a number nor an array"
            ) from None

    def named(self, entry: Entry) -> Iterator[tuple[int, str]]:
        """Number and id of each object of `entry`: its own, or the file's name and a number.

        StampError where there are more or fewer ids than objects.
        """
        if self.image.ndim == 3:
            yield 0, entry.id
            return
        count = len(self.image)
        ids = self.values.get("ids")
        if ids is not None and len(ids) != count:
            raise StampError("bad_sidecar", f"{self.source}: {len(ids)} ids for {count} objects")
        for index in entry.chosen(count):
            number = f"{index:0{len(str(count - 1))}d}"
            yield index, f"{entry.id}_{number}" if ids is None else _text(ids[index])


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def read_arrays(entry: Entry, reading: Reading) -> Iterator[RawStamp | Unreadable]:
    """The objects of an array file; a bad one is an Unreadable."""
    with _opened(entry) as file:
        yield from stamps_of(file, entry, reading)


def stamps_of(file: ArrayFile, entry: Entry, reading: Reading) -> Iterator[RawStamp | Unreadable]:
    """The objects of `file`: all of (object, band, y, x), or the one, called as `entry`.

    StampError where a band is missing, nothing names them, or there are more or fewer ids.
    """
    names, how = file.names(reading)
    file.check()
    if absent := [band for band in reading.bands if band not in names]:
        raise StampError(
            "missing_band",
            f"{entry.source}: no band {', '.join(absent)}; it has {', '.join(names)}",
        )
    order = [names.index(band) for band in reading.bands]
    for index, name in file.named(entry):
        try:
            bands = tuple(_raw_band(file, index, band) for band in order)
            scale, ra, dec = (file.number(key, index, 0) for key in PER_OBJECT)
            yield RawStamp(name, entry.source, bands, how, names, scale, ra=ra, dec=dec)
        except Exception as error:
            yield unreadable(name, entry.source, error)


def _raw_band(file: ArrayFile, index: int, band: int) -> RawBand:
    where = (index, band) if file.image.ndim == 4 else (band,)
    kind = next((kind for kind in NOISE if kind in file.values), None)
    return RawBand(
        as_array(file.image[where]),
        None if kind is None else as_variance(kind, _noise(file, kind)[where]),
        file.value("psf", index, band),
        sky_sigma=file.number("sky_sigma", index, band),
        psf_fwhm=file.number("psf_fwhm", index, band),
        masked=file.values["masked"][where] if "masked" in file.values else None,
    )


def _noise(file: ArrayFile, kind: str) -> Any:
    noise = file.values[kind]
    require_same_shape(file.source, {"image": file.image.shape, kind: noise.shape})
    return noise


@contextmanager
def _opened(entry: Entry) -> Iterator[ArrayFile]:
    path = entry.files[0]
    sidecar = read_sidecar(path)
    if path.suffix.lower() == ".npy":
        yield ArrayFile(entry.source, {"image": _numpy(path), **sidecar})
    elif path.suffix.lower() == ".npz":
        with _numpy(path) as arrays:
            yield ArrayFile(entry.source, {**arrays, **sidecar})
    else:
        with _hdf5(path) as file:
            yield ArrayFile(entry.source, {**file.attrs, **file, **sidecar})


def _numpy(path: Path) -> Any:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise StampError("not_array", f"{path.name}: not a numpy file ({error})") from None


def _hdf5(path: Path) -> Any:
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise StampError("not_array", f"{path.name}: not an HDF5 file ({error})") from None


def count_in_array(entry: Entry) -> int:
    """Number of objects in the array."""
    with _opened(entry) as file:
        return file.image.shape[0] if file.image.ndim == 4 else 1
