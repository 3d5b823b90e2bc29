"""Watch: what arrives in a folder goes through the chain seconds after it is whole."""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from time import monotonic, sleep, time
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lensmill.evaluation.files import read_json
from lensmill.evaluation.report import report as write_report
from lensmill.provenance import provenance
from lensmill.survey.arrivals import Arrivals, Signature, listed, rows_from
from lensmill.survey.catalogue import as_table, write_catalogue
from lensmill.survey.chain import Chain, load_chain
from lensmill.survey.job import Job, Options
from lensmill.survey.manifest import alone, part_path, write_json
from lensmill.survey.part import process
from lensmill.survey.partitions import Partition
from lensmill.survey.run import RUN, Summary, reading_digest, recorded
from lensmill.survey.stamps import Entry, Reading
from lensmill.training.interrupt import whole

INTERVAL = 1.0
"""Seconds between two looks at the folder; a file that is the same in two of them is whole."""
MOST = 64
"""Entries in a part: the first of many that arrive together need not wait for the last."""

PLAIN = Options()

Tell = Callable[[str], None]


def watch(
    folder: Path,
    out: Path,
    *,
    reading: Reading | None = None,
    weights: Path | None = None,
    options: Options = PLAIN,
    idle: float | None = None,
    interval: float = INTERVAL,
    trust: bool = False,
    tell: Tell = lambda line: None,
) -> Summary:
    """Run the chain on every object that is in `folder` or arrives there, until Ctrl-C.

    idle: seconds without an arrival after which it ends by itself. Each batch of arrivals is a
    part file in `out`/parts as soon as it is done; the catalogue and the page are written at the
    end. What is changed is read again, and its newest rows count. The same call goes on where it
    stopped. ValueError where there is no `folder`, or `out` holds something else, or a run at work.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder")
    reading = reading or Reading()
    chain = load_chain(weights, trust)
    if chain.pipeline.bands != tuple(reading.bands):
        raise ValueError(f"the weights are for bands {chain.pipeline.bands}, not {reading.bands}")
    precision = options.precision or "32-true"
    job = Job(out, weights, reading, trust, chain.digest, options, precision)
    with alone(out):
        _claim(out, folder, reading, chain)
        arrivals = Arrivals.resumed(out)
        try:
            _work(_arriving(folder, reading, arrivals, interval, idle), arrivals, job, tell)
        except KeyboardInterrupt:
            tell("stopped; writing the catalogue")
        return _finish(out, arrivals, chain)


def _claim(out: Path, folder: Path, reading: Reading, chain: Chain) -> None:
    """Makes `out` this watch's, or finds that it is."""
    identity = {
        "watched": str(folder.resolve()),
        "reading_digest": reading_digest(reading),
        "weights": chain.digests,
    }
    path = out / RUN
    found = read_json(path) if path.is_file() else None
    if found is None and out.is_dir() and any(out.iterdir()):
        raise ValueError(f"{out} is not empty and holds no watch; choose another --out")
    changed = [key for key, value in identity.items() if found and found.get(key) != value]
    if changed:
        raise ValueError(f"{out} holds another run ({', '.join(changed)} differ); choose another")
    if found is None:
        began = {"bands": list(reading.bands), "reading": recorded(reading)}
        write_json(path, {**identity, **began, **provenance()})


def _arriving(
    folder: Path, reading: Reading, arrivals: Arrivals, interval: float, idle: float | None
) -> Iterator[dict[Entry, Signature]]:
    """Batches of entries that are whole and not done, as they come.

    It ends by itself after two looks that see the same, so that what is there is never passed over.
    """
    before: dict[Entry, Signature] = {}
    last = monotonic()
    while True:
        now = listed(folder, reading)
        new = arrivals.new(now, before)
        if new:
            yield dict(islice(new.items(), MOST))
            last = monotonic()
        settled, before = now == before, now
        if len(new) <= MOST:
            if idle is not None and settled and monotonic() - last >= idle:
                return
            sleep(interval)


def _work(
    batches: Iterator[dict[Entry, Signature]], arrivals: Arrivals, job: Job, tell: Tell
) -> None:
    """Each of the batches as a part, beside those that are there."""
    parts = (part_path(job.out, number) for number in range(len(arrivals.parts)))
    done = sum(pq.read_metadata(part).num_rows for part in parts)
    for entries in batches:
        with whole():
            rows = _write(entries, arrivals, done, job)
        done += len(rows)
        tell(_line(entries, rows))


def _write(
    entries: dict[Entry, Signature], arrivals: Arrivals, done: int, job: Job
) -> list[dict[str, Any]]:
    """The part of `entries`, of which `done` objects are in the parts before; returns the rows."""
    number = len(arrivals.parts)
    process(job, Partition(number, done, len(entries), tuple(entries)))
    arrivals.add(entries)
    return pq.read_table(part_path(job.out, number)).to_pylist()


def _line(entries: dict[Entry, Signature], rows: list[dict[str, Any]]) -> str:
    """How many, how likely, and how long after the last file was written."""
    best = max((row.get("p_lens") or 0.0 for row in rows), default=0.0)
    newest = max(written for signature in entries.values() for _, _, written in signature)
    delay = time() - newest / 1e9
    return f"{len(rows)} objects, p_lens up to {best:.3f}, {delay:.1f} s after the last file"


def _finish(out: Path, arrivals: Arrivals, chain: Chain) -> Summary:
    """The catalogue and the page of all parts."""
    tables = [
        rows_from(pq.read_table(part_path(out, number)), sources)
        for number, sources in enumerate(arrivals.newest)
    ]
    table = pa.concat_tables([as_table([]), *tables])
    write_catalogue(table, out / "catalogue.parquet")
    failed = table.filter(pc.is_valid(table["reason"]))["flags"].to_pylist()
    counts = {reason: failed.count(reason) for reason in sorted(set(failed))}
    summary = Summary(out, table.num_rows, len(failed), counts)
    finished = {"objects": summary.objects, "failed": summary.failed, "reasons": counts}
    state = read_json(out / RUN)
    write_json(out / RUN, {**state, **finished, "weights_digest": chain.digest})
    write_report(out)
    return summary
