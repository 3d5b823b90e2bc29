"""Part: one partition from its entries to a part file and a line of the manifest.

A pure function of the job and the partition: whoever calls it, wherever and however often, the
same file appears under the same name, whole or not at all.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import pyarrow.parquet as pq

from lensmill.evaluation.report import LIKELY
from lensmill.provenance import file_digest
from lensmill.quantities import Batch
from lensmill.survey.catalogue import as_table
from lensmill.survey.chain import Chain
from lensmill.survey.inference import Row
from lensmill.survey.job import Job
from lensmill.survey.manifest import ASIDE, Line, part_path
from lensmill.survey.measuring import Measured, measured
from lensmill.survey.partitions import Partition
from lensmill.survey.prefetch import Clock
from lensmill.survey.products import safe_name, write_images, write_picture
from lensmill.survey.rows import doubts
from lensmill.survey.stamps import Stamp, Unreadable


def process(job: Job, partition: Partition) -> Line:
    """Write the part file (and pictures) of `partition`; returns its line of the manifest.

    OSError where it cannot be written; nothing is left aside.
    """
    clock = Clock()
    rows: dict[int, Row] = {}
    for each in measured(job, partition, clock):
        with clock.step("write", len(each.items)):
            rows |= _rows(job, partition, each)
    path = part_path(job.out, partition.number)
    write_part([rows[number] for number in sorted(rows)], path)
    return _line(partition, path, list(rows.values()), clock)


def write_part(rows: Sequence[Row], path: Path) -> None:
    """Write aside, under a name that nobody else takes, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{ASIDE}{uuid4().hex}-{path.name}")
    try:
        pq.write_table(as_table(rows), aside)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _line(partition: Partition, path: Path, rows: list[Row], clock: Clock) -> Line:
    return {
        "part": partition.number,
        "digest": file_digest(path),
        "rows": len(rows),
        "likely": sum((row.get("p_lens") or 0.0) > LIKELY for row in rows),
        "failed": Counter(row["flags"] for row in rows if row.get("reason")),
        "seconds": {name: round(value, 4) for name, value in clock.seconds.items()},
        "images": clock.images,
    }


def _rows(job: Job, partition: Partition, each: Measured) -> dict[int, Row]:
    """Rows by number within the partition; writes the pictures and images that are wanted."""
    rows: dict[int, Row] = {}
    chain = job.chain()
    for index, (number, item) in enumerate(each.items):
        if isinstance(item, Unreadable):
            row = _failed(item)
        else:
            assert each.prediction is not None
            row = _found(item, each.prediction.rows[index], chain)
            row |= _drawn(job, partition, number, item, each.prediction.quantities, index)
        rows[number] = {**row, "weights": chain.digest}
    return rows


def _failed(item: Unreadable) -> Row:
    return {"id": item.id, "source": item.source, "flags": item.flag, "reason": item.reason}


def _found(stamp: Stamp, values: Row, chain: Chain) -> Row:
    y, x = stamp.image.shape[1:]
    fwhm = stamp.psf_fwhm.tolist()
    flags = [*stamp.flags, *chain.unusual((y, x), stamp.pixel_scale, fwhm)]
    numbers = {name: value for name, value in values.items() if name != "flags"}
    flags += [values["flags"]] if "flags" in values else []
    flags += doubts(numbers)
    return {
        "id": stamp.id,
        "source": stamp.source,
        "ra": stamp.ra,
        "dec": stamp.dec,
        "pixel_scale": stamp.pixel_scale,
        "psf_fwhm": fwhm,
        "sky_sigma": stamp.sky_sigma.tolist(),
        "background": list(stamp.background),
        **numbers,
        "flags": ";".join(flags),
    }


def _drawn(
    job: Job, partition: Partition, number: int, stamp: Stamp, predicted: Batch, index: int
) -> Row:
    """Writes what is wanted of a stamp; returns where its picture is."""
    if not {"clean", "source"} <= predicted.keys():
        return {}
    name = safe_name(stamp.id, partition.number, number)
    if job.options.images:
        write_images(job.out / "images" / f"{name}.fits", stamp, predicted, index)
    if partition.first + number >= job.options.pictures:
        return {}
    picture = f"pictures/{name}.png"
    write_picture(job.out / picture, predicted, index, stamp.bands)
    return {"picture": picture}
