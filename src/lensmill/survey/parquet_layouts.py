"""Parquet layouts: a table with an image, of any kind of lists, in each row.

The Multimodal Universe's `image` is a list of bands {band, flux, ivar, mask, psf_fwhm, scale} or
the same turned over, {band: [..], flux: [..], …} (what Hugging Face writes); its mask is True where
a pixel is good. Other tables have (band, y, x) as nested or fixed-size lists, or flat.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count, islice
from math import isqrt
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lensmill.survey.array_layouts import IMAGES, NOISE, ArrayFile, stamps_of
from lensmill.survey.celestial import SAME
from lensmill.survey.labels import match_band
from lensmill.survey.raw import Array, RawStamp
from lensmill.survey.reading import Entry, Reading, StampError, Unreadable, unreadable
from lensmill.survey.sidecar import read_sidecar

PARQUET_SUFFIXES = (".parquet", ".pq")
PREVIEW = "data_thumbnail.parquet"  # of a HATS catalogue: rows that are in it again
IDS = ("object_id", "id", "ids", "objectId")
NUMBERS = ("psf_fwhm", "sky_sigma", "pixel_scale", "ra", "dec")
BATCH = 64
"""Rows in memory at a time, of the row group that is read."""

FIELDS = {"flux": "image", "ivar": "weight", "scale": "pixel_scale", "band": "bands"}
"""The Multimodal Universe's names, and ours."""


def holds_images(path: Path) -> bool:
    """Whether a Parquet file has a column of images; True where it cannot be opened."""
    if path.name == PREVIEW:
        return False
    try:
        return bool(set(pq.read_schema(path).names) & set(IMAGES))
    except (OSError, pa.ArrowException):
        return True


def count_in_parquet(entry: Entry) -> int:
    """Number of rows."""
    return int(pq.read_metadata(entry.files[0]).num_rows)


def read_parquet(entry: Entry, reading: Reading) -> Iterator[RawStamp | Unreadable]:
    """The object of each row, row group by row group; a bad row is an Unreadable."""
    extra = read_sidecar(entry.files[0])
    total = count_in_parquet(entry)
    for index, row in _rows(entry.files[0], entry.chosen(total)):
        name = _name(row, f"{entry.id}_{index:0{len(str(total - 1))}d}")
        try:
            values = {**_values(row, entry.source, reading), **extra}
            file = ArrayFile(entry.source, values)
            yield from stamps_of(file, replace(entry, id=name, rows=None), reading)
        except Exception as error:
            yield unreadable(name, entry.source, error)


def _rows(path: Path, chosen: range) -> Iterator[tuple[int, dict[str, pa.Scalar]]]:
    """The used columns of the `chosen` rows, with their numbers."""
    with pq.ParquetFile(path) as file:
        used = {*IMAGES, *NOISE, *IDS, *NUMBERS, "bands", "shape", "psf"}
        columns = [name for name in file.schema_arrow.names if name in used]
        end = 0
        for group in range(file.num_row_groups):
            start, end = end, end + file.metadata.row_group(group).num_rows
            if start >= chosen.stop or end <= chosen.start:
                continue
            batches = file.iter_batches(BATCH, row_groups=[group], columns=columns)
            numbered = zip(count(start), _each(batches, columns), strict=False)
            yield from islice(numbered, max(chosen.start - start, 0), chosen.stop - start)


def _each(batches: Iterator[pa.RecordBatch], columns: list[str]) -> Iterator[dict[str, pa.Scalar]]:
    for batch in batches:
        for row in range(batch.num_rows):
            yield {name: batch[name][row] for name in columns}


def _name(row: dict[str, pa.Scalar], otherwise: str) -> str:
    value = next((row[name].as_py() for name in IDS if name in row), None)
    text = value.decode(errors="replace") if isinstance(value, bytes) else value
    return otherwise if text is None else str(text)


def _values(row: dict[str, pa.Scalar], source: str, reading: Reading) -> dict[str, Any]:
    """The row under the names of an array file."""
    image = next(row[name] for name in IMAGES if name in row)
    if not image.is_valid:
        raise StampError("no_image", f"{source}: a row without an image")
    numbers = {name: row[name].as_py() for name in NUMBERS if name in row}
    values = {name: np.asarray(v, np.float64) for name, v in numbers.items() if v is not None}
    if (fields := _fields(image)) is not None:
        return values | _of_bands(fields, source, reading)
    if "bands" in row:
        values["bands"] = row["bands"].as_py()
    arrays = {name: _array(row[name].values, source) for name in (*NOISE, "psf") if name in row}
    shaped = {"image": _array(image.values, source), **arrays}
    return values | {
        name: _shaped(array, row, len(reading.bands), source) for name, array in shaped.items()
    }


def _fields(image: pa.Scalar) -> dict[str, pa.Array] | None:
    """Each field of all bands; None where the image is no list of bands."""
    if pa.types.is_struct(image.type):
        return {field.name: image[field.name].values for field in image.type}
    bands = image.values
    if not pa.types.is_struct(bands.type):
        return None
    return {field.name: part for field, part in zip(bands.type, bands.flatten(), strict=True)}


def _of_bands(fields: dict[str, pa.Array], source: str, reading: Reading) -> dict[str, Any]:
    if not {"band", "flux"} <= set(fields):
        raise StampError(
            "no_image", f"{source}: an image of {', '.join(fields)}; band and flux are needed"
        )
    values: dict[str, Any] = {"bands": fields["band"].to_pylist()}
    for name in ("flux", "ivar", "psf_fwhm", "scale"):
        if name in fields and fields[name].null_count < len(fields[name]):
            values[FIELDS.get(name, name)] = _array(fields[name], source)
    if "mask" in fields and fields["mask"].null_count == 0:
        values["masked"] = _array(fields["mask"], source) == 0
    if "pixel_scale" in values:
        values["pixel_scale"] = _one_scale(values, source, reading)
    return values


def _one_scale(values: dict[str, Any], source: str, reading: Reading) -> float:
    """arcsec, of the asked bands; StampError where they differ and none is given."""
    pairs = zip(values["bands"], values["pixel_scale"], strict=True)
    named = {match_band(str(name), reading.bands): float(scale) for name, scale in pairs}
    scales = {name: named[name] for name in reading.bands if name in named}
    first, *others = scales.values() or [float(values["pixel_scale"][0])]
    same = all(first / SAME < other < first * SAME for other in others)
    if reading.pixel_scale is None and not same:
        listed = ", ".join(f"{name} {scale:.4f}″" for name, scale in scales.items())
        raise StampError("scale_mismatch", f"{source}: bands of different pixels: {listed}")
    return first


def _array(array: pa.Array, source: str) -> Array:
    """Lists in lists as one array; StampError "bad_shape" where they are not equally long."""
    shape = [len(array)]
    while _of_lists(array):
        lengths = pc.list_value_length(array).unique().to_pylist()
        if len(lengths) != 1 or lengths[0] is None:
            raise StampError("bad_shape", f"{source}: an image whose rows are not equally long")
        shape += lengths
        array = array.flatten()
    return array.cast(pa.float64()).to_numpy(zero_copy_only=False).reshape(shape)


def _of_lists(array: pa.Array) -> bool:
    kinds = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(kind(array.type) for kind in kinds)


def _shaped(array: Array, row: dict[str, pa.Scalar], bands: int, source: str) -> Array:
    """A flat array as (band, y, x): by the row's `shape`, else of as many square bands."""
    if array.ndim != 1:
        return array
    side = isqrt(array.size // bands)
    shape = row["shape"].as_py() if "shape" in row else (bands, side, side)
    if np.prod(shape) != array.size:
        raise StampError(
            "bad_shape",
            f"{source}: {array.size} pixels are not {'×'.join(map(str, shape))} (band×y×x); "
            "give a column shape",
        )
    return array.reshape(shape)
