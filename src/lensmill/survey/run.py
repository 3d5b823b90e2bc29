"""Run: a folder of images in, a catalogue and a page of pictures out."""

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from lensmill.evaluation.files import read_json
from lensmill.evaluation.report import report as write_report
from lensmill.physics.surveys import Band, Survey
from lensmill.provenance import digest, provenance
from lensmill.survey.agreement import chosen_precision
from lensmill.survey.catalogue import check_suffix
from lensmill.survey.chain import Chain, load_chain
from lensmill.survey.engine import Engine, answers
from lensmill.survey.executors import GOES_ON
from lensmill.survey.job import Job, Options
from lensmill.survey.join import join
from lensmill.survey.manifest import (
    ASIDE,
    Line,
    add_line,
    alone,
    part_path,
    resumed,
    tidy,
    write_json,
)
from lensmill.survey.part import process
from lensmill.survey.partitions import SIZE, Partition, partitions
from lensmill.survey.progress import Progress, counted
from lensmill.survey.stamps import Entry, Reading, find_objects
from lensmill.training.precision import Precision

__all__ = ["Engine", "Options", "Summary", "run"]

Report = Callable[[float, str], None]
PART = SIZE
RUN = "run.json"
PLAIN = Options()
HERE = Engine()


@dataclass
class Summary:
    """What a run did."""

    out: Path
    objects: int = 0
    failed: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    stages: dict[str, dict[str, float]] = field(default_factory=dict)
    """Images, seconds and images/s of reading, of each stage, and of writing."""


def run(
    folder: Path,
    out: Path,
    *,
    reading: Reading | None = None,
    weights: Path | None = None,
    options: Options = PLAIN,
    catalogue: str = "catalogue.parquet",
    trust: bool = False,
    engine: Engine | Executor = HERE,
    report: Report = lambda share, line: None,
) -> Summary:
    """Denoise, deblend, classify and model every object in `folder`; resumes what `out` holds.

    `engine` says who works: this process, processes of this machine, a Dask cluster, or an
    executor of your own, whose workers see the same files under the same names.

    Writes `out/catalogue.parquet` (and `catalogue` if its suffix differs), `out/pictures/`,
    `out/run.json` and `out/report.html`. A bad object becomes a row with a reason. ValueError
    where nothing can be read or written, the weights do not fit, or `out` holds another run, or
    one that is at work. Objects whose files were replaced since are read again.
    """
    reading = reading or Reading()
    _check_catalogue(out, out / catalogue)
    entries = find_objects(folder.absolute(), reading)
    chain = load_chain(weights, trust)
    if chain.pipeline.bands != tuple(reading.bands):
        raise ValueError(f"the weights are for bands {chain.pipeline.bands}, not {reading.bands}")
    identity = _identity(entries, reading, chain, options)
    began = {"folder": str(folder.absolute()), "reading": recorded(reading)}
    try:
        with alone(out):
            precision = _claim(out, identity, began, chain, options)
            threads = None if engine == HERE else 1
            places = (out.absolute(), weights and weights.absolute())
            job = Job(*places, reading, trust, chain.digest, options, precision, threads)
            lines = _work(job, partitions(entries, PART), engine, report)
            return _finish(out, catalogue, chain, lines)
    except OSError as error:
        raise ValueError(f"cannot write {out}: {error}; {GOES_ON}") from None


def _check_catalogue(out: Path, path: Path) -> None:
    """ValueError where it could not be written after the last object."""
    check_suffix(path)
    if path.parent != out and not path.parent.is_dir():
        raise ValueError(f"--catalogue {path}: there is no folder {path.parent}; make it first")


def _identity(
    entries: list[Entry], reading: Reading, chain: Chain, options: Options
) -> dict[str, Any]:
    """What makes a run this run and no other."""
    listing = hashlib.sha256()
    for entry in entries:
        listing.update(repr(entry).encode())
    return {
        "entries": len(entries),
        "entries_digest": listing.hexdigest()[:16],
        "partition": PART,
        "bands": list(reading.bands),
        "reading_digest": reading_digest(reading),
        "weights": chain.digests,
        "images": options.images,
        "p_lens": options.p_lens,
    }


def recorded(reading: Reading) -> dict[str, Any]:
    """`reading` as run.json holds it."""
    here = replace(reading, positions=reading.positions and reading.positions.absolute())
    content: dict[str, Any] = json.loads(json.dumps(asdict(here), default=str))
    return content


def recorded_reading(run: Path) -> Reading:
    """How the folder of `run` was read, as far as its run.json says; older ones tell the bands."""
    path = run / RUN
    state = read_json(path)
    values = state.get("reading", {"bands": state.get("bands", Reading().bands)})
    try:
        return Reading(**{key: _option(key, value) for key, value in values.items()})
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: `reading` is of another version of lensmill: {error}") from None


def _option(key: str, value: Any) -> Any:
    """A field of `Reading` from its JSON."""
    if key == "survey" and value is not None:
        return Survey(**{**value, "bands": {name: Band(**b) for name, b in value["bands"].items()}})
    if key == "positions" and value is not None:
        return Path(value)
    return tuple(value) if isinstance(value, list) else value


def reading_of(run: Path, given: Reading | None = None) -> Reading:
    """How the folder of `run` was read; ValueError says what of `given` is not so.

    A run of an older version holds a digest alone: `given`, or the plain reading, must be of that.
    """
    path, found = run / RUN, recorded_reading(run)
    state, asked = read_json(path), given or found
    if "reading" not in state:
        if state.get("reading_digest", reading_digest(asked)) != reading_digest(asked):
            raise ValueError(f"{path}: its images were read by other options; give those it had")
        return asked
    had, wanted = recorded(found), recorded(asked)
    if differ := [key for key, value in had.items() if value != wanted[key]]:
        told = (f"{key} {_told(had[key])}, not {_told(wanted[key])}" for key in differ)
        raise ValueError(
            f"{path}: its images were read with {'; '.join(told)}; leave such options out, and "
            "those of the run are taken"
        )
    return found


def _told(value: Any) -> Any:
    """A survey by its name."""
    return value["name"] if isinstance(value, dict) else value


def reading_digest(reading: Reading) -> str:
    """By which a run knows its reading again."""
    return digest(repr(reading).encode())


def _claim(
    out: Path, identity: dict[str, Any], began: dict[str, Any], chain: Chain, options: Options
) -> Precision:
    """Makes `out` this run's, or finds that it is; returns the precision with which it began."""
    path = out / RUN
    if path.is_file():
        found = read_json(path)
        asked = identity | ({"precision": options.precision} if options.precision else {})
        changed = [key for key, value in asked.items() if found.get(key) != value]
        if changed:
            raise ValueError(
                f"{out} holds another run ({', '.join(changed)} differ); choose another --out"
            )
        return cast(Precision, found["precision"])
    if out.is_dir() and any(each for each in out.iterdir() if each.name != ASIDE + RUN):
        raise ValueError(f"{out} is not empty and holds no run; choose another --out")
    precision = options.precision or chosen_precision(chain, options.device)
    write_json(path, {**identity, **began, "precision": precision, **provenance()})
    return precision


def _work(
    job: Job, every: list[Partition], engine: Engine | Executor, report: Report
) -> dict[int, Line]:
    """Lines of the manifest by number: those that are there, and those that are made now."""
    files = {partition.number: partition.files() for partition in every}
    lines = resumed(job.out, files)
    progress = Progress(sum(partition.objects for partition in every))
    for line in lines.values():
        progress.add(line, new=False)
    left = [partition for partition in every if partition.number not in lines]
    with closing(answers(partial(process, job), left, engine)) as new:
        for line in new:
            line["files"] = files[line["part"]]
            add_line(job.out, line)
            lines[line["part"]] = line
            progress.add(line)
            report(progress.share, str(progress))
    return lines


def _finish(out: Path, catalogue: str, chain: Chain, lines: dict[int, Line]) -> Summary:
    """Join the parts, write the catalogue and the page."""
    for name in dict.fromkeys(("catalogue.parquet", catalogue)):
        join((part_path(out, number) for number in sorted(lines)), out / name)
    counts = counted(lines.values())
    state = read_json(out / RUN)
    write_json(out / RUN, {**state, **counts, "weights_digest": chain.digest})
    write_report(out)
    tidy(out)
    return Summary(out, **counts)
