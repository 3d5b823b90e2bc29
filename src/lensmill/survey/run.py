"""Run: a folder of images in, a catalogue and a page of pictures out."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from lensmill.evaluation.report import report as write_report
from lensmill.provenance import digest, provenance
from lensmill.quantities import Batch
from lensmill.survey.catalogue import as_table, check_suffix, write_catalogue
from lensmill.survey.chain import Chain, load_chain
from lensmill.survey.products import safe_name, write_images, write_picture
from lensmill.survey.rows import doubts, measurements
from lensmill.survey.stamps import Entry, Reading, Stamp, Unreadable, find_objects, read

Report = Callable[[float, str], None]
Item = TypeVar("Item")
PART = 256
"""Entries per part: what is lost, at most, when a run is killed."""


@dataclass(frozen=True)
class Options:
    """What a run does beside the catalogue."""

    pictures: int = 500
    """Objects, in order of reading, that get a picture."""
    images: bool = False
    """Write denoised, source and lens light of every object as FITS."""
    batch: int = 32
    device: str = "cpu"


@dataclass
class Summary:
    """What a run did."""

    out: Path
    objects: int = 0
    failed: int = 0
    reasons: dict[str, int] = field(default_factory=dict)


def run(
    folder: Path,
    out: Path,
    *,
    reading: Reading | None = None,
    weights: Path | None = None,
    options: Options = Options(),
    catalogue: str = "catalogue.parquet",
    trust: bool = False,
    report: Report = lambda share, line: None,
) -> Summary:
    """Denoise, deblend, classify and model every object in `folder`; resumes what `out` holds.

    Writes `out/catalogue.parquet` (and `catalogue` if its suffix differs), `out/pictures/`,
    `out/run.json` and `out/report.html`. A bad object becomes a row with a reason. ValueError
    where nothing can be read, the weights do not fit, or `out` holds another run.
    """
    reading = reading or Reading()
    check_suffix(out / catalogue)
    entries = find_objects(folder, reading)
    chain = load_chain(weights, trust)
    if chain.pipeline.bands != tuple(reading.bands):
        raise ValueError(f"the weights are for bands {chain.pipeline.bands}, not {reading.bands}")
    _claim(out, _identity(entries, reading, chain, options))
    chain.pipeline.to(options.device)
    for number, part in enumerate(_groups(entries, PART)):
        path = out / "parts" / f"part-{number:05d}.parquet"
        if not path.is_file():
            rows = list(_process(part, number, out, reading, chain, options))
            path.parent.mkdir(parents=True, exist_ok=True)
            write_catalogue(as_table(rows), path)
        done = min((number + 1) * PART, len(entries))
        report(done / len(entries), f"{done} of {len(entries)} files")
    return _finish(out, catalogue, chain)


def _identity(
    entries: list[Entry], reading: Reading, chain: Chain, options: Options
) -> dict[str, Any]:
    """What makes a run this run and no other."""
    listing = "\n".join(f"{entry!r}" for entry in entries)
    return {
        "entries": len(entries),
        "entries_digest": digest(listing.encode()),
        "bands": list(reading.bands),
        "reading_digest": digest(repr(reading).encode()),
        "weights": chain.digests,
        "images": options.images,
    }


def _groups(items: Sequence[Item], size: int) -> list[tuple[Item, ...]]:
    return [tuple(items[start : start + size]) for start in range(0, len(items), size)]


def _claim(out: Path, identity: dict[str, Any]) -> None:
    path = out / "run.json"
    if path.is_file():
        found = json.loads(path.read_text())
        changed = [key for key, value in identity.items() if found.get(key) != value]
        if changed:
            raise ValueError(
                f"{out} holds another run ({', '.join(changed)} differ); choose another --out"
            )
        return
    if out.is_dir() and any(out.iterdir()):
        raise ValueError(f"{out} is not empty and holds no run; choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**identity, **provenance()}, indent=1))


def _process(
    entries: tuple[Entry, ...],
    part: int,
    out: Path,
    reading: Reading,
    chain: Chain,
    options: Options,
) -> Iterator[dict[str, Any]]:
    """The rows of one part, in order of reading."""
    objects = [item for entry in entries for item in read(entry, reading)]
    rows: dict[int, dict[str, Any]] = {}
    stamps: dict[tuple[int, ...], list[int]] = {}
    for number, item in enumerate(objects):
        if isinstance(item, Unreadable):
            rows[number] = {
                "id": item.id,
                "source": item.source,
                "flags": item.flag,
                "reason": item.reason,
            }
        else:
            stamps.setdefault(item.image.shape, []).append(number)
    for numbers in stamps.values():
        for group in _groups(numbers, options.batch):
            chosen = [objects[number] for number in group]
            measured = _measure(
                [s for s in chosen if isinstance(s, Stamp)], part, group, out, chain, options
            )
            rows |= dict(zip(group, measured, strict=True))
    for number in range(len(objects)):
        yield {**rows[number], "weights": chain.digest}


def _measure(
    stamps: list[Stamp],
    part: int,
    numbers: tuple[int, ...],
    out: Path,
    chain: Chain,
    options: Options,
) -> list[dict[str, Any]]:
    """Rows of stamps of one shape."""
    with torch.inference_mode():
        predicted = chain.pipeline.predict(as_batch(stamps, options.device))
        values = measurements(predicted)
    rows = []
    for index, (stamp, number, value) in enumerate(zip(stamps, numbers, values, strict=True)):
        name = safe_name(stamp.id, part, number)
        row = {**_known(stamp, chain), **value}
        if part * PART + number < options.pictures and {"clean", "source"} <= predicted.keys():
            row["picture"] = f"pictures/{name}.png"
            write_picture(out / row["picture"], predicted, index, stamp.bands)
        if options.images and {"clean", "source"} <= predicted.keys():
            write_images(out / "images" / f"{name}.fits", stamp, predicted, index)
        row["flags"] = ";".join(filter(None, (row["flags"], *doubts(value))))
        rows.append(row)
    return rows


def as_batch(stamps: list[Stamp], device: str) -> Batch:
    """Stamps of one shape as named quantities."""
    arrays = {
        "noisy": [stamp.image for stamp in stamps],
        "sky_sigma": [stamp.sky_sigma for stamp in stamps],
        "psf_fwhm": [stamp.psf_fwhm for stamp in stamps],
        "pixel_scale": [stamp.pixel_scale for stamp in stamps],
    }
    return {k: torch.from_numpy(np.asarray(v, np.float32)).to(device) for k, v in arrays.items()}


def _known(stamp: Stamp, chain: Chain) -> dict[str, Any]:
    y, x = stamp.image.shape[1:]
    fwhm = stamp.psf_fwhm.tolist()
    flags = [*stamp.flags, *chain.unusual((y, x), stamp.pixel_scale, fwhm)]
    return {
        "id": stamp.id,
        "source": stamp.source,
        "ra": stamp.ra,
        "dec": stamp.dec,
        "pixel_scale": stamp.pixel_scale,
        "psf_fwhm": fwhm,
        "sky_sigma": stamp.sky_sigma.tolist(),
        "flags": ";".join(flags),
    }


def _finish(out: Path, catalogue: str, chain: Chain) -> Summary:
    """Join the parts, write the catalogue and the page."""
    parts = sorted((out / "parts").glob("part-*.parquet"))
    table = pa.concat_tables([pq.read_table(path) for path in parts])
    for name in dict.fromkeys(("catalogue.parquet", catalogue)):
        write_catalogue(table, out / name)
    reasons = [
        f for f, r in zip(table["flags"].to_pylist(), table["reason"].to_pylist(), strict=True) if r
    ]
    counts = {reason: reasons.count(reason) for reason in sorted(set(reasons))}
    summary = Summary(out, table.num_rows, len(reasons), counts)
    state = json.loads((out / "run.json").read_text())
    finished = {"objects": summary.objects, "failed": summary.failed, "reasons": counts}
    (out / "run.json").write_text(
        json.dumps({**state, **finished, "weights_digest": chain.digest}, indent=1)
    )
    write_report(out)
    return summary
