"""Multimodal Universe: images as the schema that its data sets share, in Parquet.

image: list<{band, flux, ivar, mask, psf_fwhm, scale}>, one item a band; flux, ivar and mask are
rows of pixels, the first at the bottom, mask is true where a pixel is good; psf_fwhm and scale
(of a pixel) are in arcsec. Beside it object_id and one column a quantity.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lensmill.quantities import ALL, PER_OBJECT
from lensmill.simulation.shards import read_manifest, read_shard
from lensmill.survey.candidates import FinishedRun
from lensmill.survey.catalogue import SCHEMA
from lensmill.survey.reading import Reading
from lensmill.survey.stamps import Stamp, find_objects, read

PIXELS = pa.list_(pa.list_(pa.float32()))
IMAGE = pa.struct(
    {
        "band": pa.string(),
        "flux": PIXELS,
        "ivar": PIXELS,
        "mask": pa.list_(pa.list_(pa.bool_())),
        "psf_fwhm": pa.float32(),
        "scale": pa.float32(),
    }
)
PART = 256
"""Objects, read from files, per part."""
UNITS = {quantity.name: quantity.unit for quantity in ALL if quantity.axes == PER_OBJECT}

Array = NDArray[Any]
Key = tuple[str, str, int]


def write_data_set(folder: Path, out: Path) -> int:
    """Write a simulated data set, a part for each shard; the number of scenes.

    ivar is 1 / (sky variance + counts). ValueError where noisy images are not stored.
    """
    manifest = read_manifest(folder)
    if "noisy" not in manifest.images:
        raise ValueError(f"{folder} does not store noisy images; simulate it with them")
    for shard in range(manifest.shards):
        batch = {k: v.numpy() for k, v in read_shard(folder, manifest, shard).items()}
        noisy, sigma = batch["noisy"], batch["sky_sigma"][..., None, None]
        images = {
            "flux": noisy,
            "ivar": 1 / (sigma**2 + noisy.clip(min=0)),
            "mask": np.ones(noisy.shape, bool),
        }
        conditions = (batch["psf_fwhm"], batch["pixel_scale"])
        names = [f"{manifest.split}-{shard:05d}-{row:05d}" for row in range(len(noisy))]
        columns = {name: batch[name] for name in UNITS if name in batch}
        _write(out, shard, names, image_column(images, *conditions, manifest.bands), columns)
    return manifest.count


def write_stamps(run: FinishedRun, folder: Path, reading: Reading, out: Path) -> int:
    """Write the stamps in `folder` that a run has rows of, with its columns; their number.

    The images are as the run saw them: background subtracted, bad pixels filled (ivar 0 and mask
    false there); ivar is of the sky alone.
    """
    counts: Counter[tuple[str, str]] = Counter()
    rows = {_key(row["id"], row["source"], counts): row for row in run.table.to_pylist()}
    scalars = [field.name for field in SCHEMA if not pa.types.is_list(field.type)]
    count = 0
    for part, found in enumerate(_parts(_stamps(folder, reading, rows))):
        keys, stamps = zip(*found, strict=True)
        images = [
            image_column(_of_stamp(s), s.psf_fwhm[None], np.array([s.pixel_scale]), s.bands)
            for s in stamps
        ]
        names = [stamp.id for stamp in stamps]
        columns = {name: [rows[key][name] for key in keys] for name in scalars if name != "id"}
        _write(out, part, names, pa.concat_arrays(images), columns)
        count += len(stamps)
    if not count:
        raise ValueError(f"no stamp in {folder} is in the run's catalogue")
    return count


def _stamps(
    folder: Path, reading: Reading, known: Mapping[Key, Any]
) -> Iterator[tuple[Key, Stamp]]:
    """Those that have a row; what cannot be read had one too, and is counted."""
    counts: Counter[tuple[str, str]] = Counter()
    for item in (item for entry in find_objects(folder, reading) for item in read(entry, reading)):
        key = _key(item.id, item.source, counts)
        if isinstance(item, Stamp) and key in known:
            yield key, item


def _key(id: str, source: str, counts: Counter[tuple[str, str]]) -> Key:
    """Whose row it is: objects may share id and source, but not their order."""
    counts[id, source] += 1
    return id, source, counts[id, source]


def _parts(stamps: Iterator[tuple[Key, Stamp]]) -> Iterator[list[tuple[Key, Stamp]]]:
    while part := list(islice(stamps, PART)):
        yield part


def _of_stamp(stamp: Stamp) -> dict[str, Array]:
    good = ~stamp.bad
    return {
        "flux": stamp.image[None],
        "ivar": (good / stamp.sky_sigma[:, None, None] ** 2)[None],
        "mask": good[None],
    }


def image_column(
    images: Mapping[str, Array], psf_fwhm: Array, scale: Array, bands: Sequence[str]
) -> pa.Array:
    """Images (object, band, y, x) and conditions (object, band), (object,) as list<IMAGE>."""
    count, many = psf_fwhm.shape
    fields = {
        "band": pa.array(list(bands) * count, pa.string()),
        **{name: _pixels(image.reshape(-1, *image.shape[2:])) for name, image in images.items()},
        "psf_fwhm": pa.array(psf_fwhm.ravel(), pa.float32()),
        "scale": pa.array(np.repeat(scale, many), pa.float32()),
    }
    values = pa.StructArray.from_arrays([fields[field.name] for field in IMAGE], fields=list(IMAGE))
    return pa.ListArray.from_arrays(_offsets(count, many), values)


def _pixels(images: Array) -> pa.Array:
    """(image, y, x) as list<list<pixel>>."""
    count, y, x = images.shape
    kind = pa.bool_() if images.dtype == bool else pa.float32()
    rows = pa.ListArray.from_arrays(_offsets(count * y, x), pa.array(images.ravel(), kind))
    return pa.ListArray.from_arrays(_offsets(count, y), rows)


def _offsets(count: int, size: int) -> pa.Array:
    return pa.array(np.arange(count + 1) * size, pa.int32())


def _write(
    out: Path, part: int, names: list[str], images: pa.Array, columns: Mapping[str, Any]
) -> None:
    """Write a part aside, then rename."""
    fields = [pa.field("object_id", pa.string()), pa.field("image", pa.list_(IMAGE))]
    fields += [_field(name) for name in columns]
    arrays = [pa.array(names), images]
    arrays += [pa.array(v, f.type) for v, f in zip(columns.values(), fields[2:], strict=True)]
    out.mkdir(parents=True, exist_ok=True)
    aside = out / f".part-{part:05d}.parquet"
    pq.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(fields)), aside)
    aside.replace(out / f"part-{part:05d}.parquet")


def _field(name: str) -> pa.Field:
    """As in the catalogue, with its unit and UCD, or a simulated quantity."""
    if name in SCHEMA.names:
        return SCHEMA.field(name)
    return pa.field(name, pa.float32(), metadata={"unit": UNITS[name]})
