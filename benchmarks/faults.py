"""Nothing is lost: runs killed in every way, a disk that fills, and stamps broken in twelve ways.

    python benchmarks/faults.py [KILLS] [STAMPS]

KILLS (30) runs over small stamps with a light chain, in turn: SIGKILL of the run, of the run with
its local processes, of one of these, of a Dask worker, of the Dask scheduler, and a disk (tmpfs)
with room for a half. Each comes when a random number of parts is done; the same command, given
until it ends well, must leave the catalogue of a run that was let alone, row for row, and nothing
aside. Then STAMPS (10,000) FITS files, 3 % of them broken. Linux, with the right to mount. Writes
benchmarks/results/faults.json.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from dask_cluster import PATIENCE, WORKERS, Cluster, until

HERE = Path(__file__)
RESULTS = HERE.parent / "results" / "faults.json"
OBJECTS, PART = 480, 16
PARTS = OBJECTS // PART
ATTEMPTS = 5


def work(folder: str, out: str, weights: str, engine: str, scheduler: str = "") -> None:
    """The run itself, in a process of its own; its partitions are small."""
    from lensmill.survey import run as module

    module.PART = PART
    hired = 0 if engine == "process" else WORKERS
    module.run(
        Path(folder),
        Path(out),
        weights=Path(weights),
        options=module.Options(pictures=0, precision="32-true"),
        engine=module.Engine(engine, hired, scheduler or None),
    )


class Survey:
    """The stamps, the weights, and the commands that work on them."""

    def __init__(self, scratch: Path) -> None:
        from small_survey import light_weights, write_shards

        self.weights = light_weights(scratch / "weights")
        self.stamps = write_shards(scratch / "stamps", OBJECTS)

    def start(self, out: Path, engine: str, scheduler: str = "") -> subprocess.Popen[str]:
        """A run."""
        words = ("--run", self.stamps, out, self.weights, engine, scheduler)
        command = [sys.executable, str(HERE), *map(str, words)]
        return subprocess.Popen(command, text=True, stderr=subprocess.PIPE)

    def finish(self, out: Path, engine: str, scheduler: str = "") -> int:
        """The same command until it ends well; how often."""
        for attempt in range(1, ATTEMPTS + 1):
            run = self.start(out, engine, scheduler)
            _, said = run.communicate(timeout=PATIENCE)
            if run.returncode == 0:
                return attempt
        raise AssertionError(said)


def local_workers(parent: int) -> list[int]:
    """Processes that a run has spawned."""
    children = Path(f"/proc/{parent}/task/{parent}/children")
    found = children.read_text().split() if children.exists() else []
    lines = {int(child): Path(f"/proc/{child}/cmdline") for child in found}
    return [child for child, line in lines.items() if "spawn_main" in line.read_text()]


def killed(survey: Survey, cluster: Cluster, out: Path, how: str, moment: int) -> dict[str, Any]:
    """A run that loses something when `moment` parts are done, and is then finished."""
    engine = "dask" if how.startswith("Dask") else "process" if how == "run" else "local"
    scheduler = cluster.address if engine == "dask" else ""
    run = survey.start(out, engine, scheduler)
    until(lambda: len(list(out.glob("parts/part-*"))) >= moment or run.poll() is not None)
    in_time = run.poll() is None
    if in_time:
        _kill(how, run, cluster)
    said = run.communicate(timeout=PATIENCE)[1]
    went_on = run.returncode == 0
    scheduler = cluster.address if engine == "dask" else ""
    attempts = 0 if went_on else survey.finish(out, engine, scheduler)
    return {
        "parts_done": moment,
        "in_time": in_time,
        "went_on": went_on,
        "resumed": attempts,
        "said": "" if went_on else said.strip().splitlines()[-1:],
    }


def _kill(how: str, run: subprocess.Popen[str], cluster: Cluster) -> None:
    if how in ("run", "run with local processes"):
        os.kill(run.pid, signal.SIGKILL)
    elif how == "local process":
        for worker in local_workers(run.pid)[:1]:
            os.kill(worker, signal.SIGKILL)
    else:
        cluster.kill("scheduler" if how == "Dask scheduler" else "worker-0")


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A disk of `size` bytes at `folder`."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    subprocess.run(["mount", *options], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def full_disk(survey: Survey, out: Path, bytes_of_all: int, share: float) -> dict[str, Any]:
    """A run on a disk that fills; then the disk grows, and the run is finished and moved."""
    disk = out.with_name(f"{out.name}-disk")
    with small_disk(disk, int(share * bytes_of_all)):
        run = survey.start(disk / "out", "process")
        said = run.communicate(timeout=PATIENCE)[1]
        parts = len(list((disk / "out").glob("parts/part-*")))
        aside = len(left_aside(disk))
        subprocess.run(["mount", "-o", "remount,size=1g", str(disk)], check=True)
        attempts = survey.finish(disk / "out", "process")
        subprocess.run(["cp", "-r", str(disk / "out"), str(out)], check=True)
    line = said.strip().splitlines()[-1].replace(str(disk), "…") if said.strip() else ""
    return {
        "parts_done": parts,
        "in_time": run.returncode != 0,
        "left_aside_by_it": aside,
        "resumed": attempts,
        "said": line,
    }


HOW = (
    "run",
    "local process",
    "Dask worker",
    "Dask scheduler",
    "run with local processes",
    "full disk",
)


def left_aside(out: Path) -> list[str]:
    """Files that are no product."""
    return [path.name for path in out.rglob("*") if path.name.startswith((".aside", ".part"))]


def compared(out: Path, whole: Path) -> dict[str, Any]:
    """The catalogue beside that of the run that was let alone."""
    found, expected = (pq.read_table(folder / "catalogue.parquet") for folder in (out, whole))
    ids, names = Counter(found["id"].to_pylist()), Counter(expected["id"].to_pylist())
    return {
        "rows_lost": (names - ids).total(),
        "rows_doubled": (ids - names).total(),
        "identical": found.equals(expected),
        "left_aside": left_aside(out),
    }


def kills(count: int, scratch: Path) -> list[dict[str, Any]]:
    """`count` runs that something happens to."""
    survey, cluster, moments = Survey(scratch), Cluster(scratch / "dask"), random.Random(1)
    whole = scratch / "whole"
    survey.finish(whole, "process")
    size = sum(path.stat().st_size for path in (whole / "parts").iterdir())
    rows = []
    try:
        for number in range(count):
            how, out = HOW[number % len(HOW)], scratch / f"killed-{number}"
            if how == "full disk":
                row = full_disk(survey, out, size, moments.uniform(0.2, 0.9))
            else:
                row = killed(survey, cluster, out, how, moments.randrange(PARTS - 4))
            rows.append({"how": how, **row, **compared(out, whole)})
            print(rows[-1], flush=True)
    finally:
        cluster.close()
    return rows


def bad_inputs(count: int, scratch: Path) -> dict[str, Any]:
    """`count` stamps, every 33rd broken: a row for each, with a reason where there should be."""
    from broken import BREAKS
    from small_survey import light_weights, write_fits

    files = write_fits(scratch / "bad", count)
    expected = {}
    for number, path in enumerate(files[::33]):
        make, flag = list(BREAKS.values())[number % len(BREAKS)]
        make(path)
        expected[path.stem] = flag
    weights = light_weights(scratch / "bad-weights")
    words = ("--run", scratch / "bad", scratch / "bad-out", weights, "local")
    command = [sys.executable, str(HERE), *map(str, words)]
    run = subprocess.run(command, text=True, capture_output=True)
    crashes = int(run.returncode != 0)
    rows = {} if crashes else _rows(scratch / "bad-out")
    good = [path.stem for path in files if path.stem not in expected]
    wrong = {name for name, flag in expected.items() if rows.get(name, {}).get("flags") != flag}
    return {
        "stamps": count,
        "bad_inputs": len(expected),
        "ways": len(BREAKS),
        "crashes": crashes,
        "good_without_result": sum(rows.get(name, {}).get("p_lens") is None for name in good),
        "bad_without_reason": sum(not rows.get(name, {}).get("reason") for name in expected),
        "bad_with_another_flag": {name: rows.get(name, {}).get("flags") for name in sorted(wrong)},
        "said": run.stderr[-500:],
    }


def _rows(out: Path) -> dict[str, dict[str, Any]]:
    table = pq.read_table(out / "catalogue.parquet", columns=["id", "p_lens", "flags", "reason"])
    rows = table.to_pylist()
    assert len({row["id"] for row in rows}) == len(rows)
    return {row["id"]: row for row in rows}


def main(count: int = 30, stamps: int = 10_000) -> None:
    """Kill, resume, compare, print and write."""
    from lensmill.provenance import provenance

    with tempfile.TemporaryDirectory() as scratch:
        rows = kills(count, Path(scratch))
        bad = bad_inputs(stamps, Path(scratch))
    result = {
        "command": f"python benchmarks/faults.py {count} {stamps}",
        "kills": len(rows),
        "kills_in_time": sum(row["in_time"] for row in rows),
        "rows_lost": sum(row["rows_lost"] for row in rows) + bad["good_without_result"],
        "rows_doubled": sum(row["rows_doubled"] for row in rows),
        "identical": all(row["identical"] for row in rows),
        "left_aside": sum(len(row["left_aside"]) for row in rows),
        "bad_inputs": bad["bad_inputs"],
        "crashes": bad["crashes"],
        "each": rows,
        "broken_stamps": bad,
        **provenance(),
    }
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({**result, "each": "…"}, indent=1))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        work(*sys.argv[2:])
    else:
        main(*map(int, sys.argv[1:]))
