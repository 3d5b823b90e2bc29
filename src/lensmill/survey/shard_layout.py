"""Shard layout: the data sets of `lensmill simulate`, read as if they were a survey."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from lensmill.survey.array_layouts import ArrayFile, stamps_of
from lensmill.survey.raw import RawStamp
from lensmill.survey.reading import Entry, Reading, StampError, Unreadable

_NAME = re.compile(r"shard-(\d{5})\.h5")
NAMES = ("noisy", "sky_sigma", "psf_fwhm", "pixel_scale")
BATCH = 64


def is_shard(file: Path) -> bool:
    """Whether `file` is a shard beside its manifest, by its name."""
    return bool(_NAME.fullmatch(file.name)) and file.with_name("manifest.json").is_file()


def read_shards(entry: Entry, reading: Reading) -> Iterator[RawStamp | Unreadable]:
    """The systems of a shard, some at a time; their ids are their split and number in the set."""
    from lensmill.simulation.shards import read_manifest, read_shard

    folder, number = _place(entry)
    manifest = read_manifest(folder)
    if "noisy" not in manifest.images:
        raise StampError("no_image", f"{entry.source}: a data set of scenes alone, without images")
    first = number * manifest.shard
    chosen = entry.chosen(manifest.rows(number))
    for start in chosen[::BATCH]:
        rows = range(start, min(start + BATCH, chosen.stop))
        batch = read_shard(folder, manifest, number, slice(rows.start, rows.stop), NAMES)
        values = {name: value.numpy() for name, value in batch.items()}
        ids = [f"{manifest.split}_{first + row:07d}" for row in rows]
        file = ArrayFile(entry.source, {**values, "bands": manifest.bands, "ids": ids})
        yield from stamps_of(file, replace(entry, rows=None), reading)


def count_in_shard(entry: Entry) -> int:
    """Number of systems in the shard."""
    from lensmill.simulation.shards import read_manifest

    folder, number = _place(entry)
    return read_manifest(folder).rows(number)


def _place(entry: Entry) -> tuple[Path, int]:
    file = entry.files[0]
    match = _NAME.fullmatch(file.name)
    assert match is not None, file
    return file.parent, int(match[1])
