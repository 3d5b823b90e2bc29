"""Nothing spoils a data set: runs killed at random moments, and a disk that fills.

    python benchmarks/kill_simulate.py [KILLS]

Starts `lensmill simulate` with two processes and kills it at a random moment after the first
shard, or the manifest, is there: the parent by SIGKILL, a worker by SIGKILL, the parent by SIGTERM,
Ctrl-C, in turn. Then the same command goes on to the end, and every byte is compared with a run
that was left alone. At last, a disk (a tmpfs where mounting is permitted, else a limit on the size
of files) with room for half. Linux. Writes benchmarks/results/kill_simulate.json.
"""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lensmill.provenance import provenance

RESULTS = Path(__file__).parent / "results" / "kill_simulate.json"
RECIPE = """
[simulation]
seed = 5
population = { name = "Priors", companions = 0.4 }
shape = [[32, 35], [34, 38]]
pixel_scale = [0.19, 0.25]
psf_fwhm = [0.6, 0.9]
depth = [0.1, 1.0]
"""
COUNT, SHARD, PROCESSES = 720, 24, 2
FIRST = "shard-00000.h5"
PATIENCE = 300.0
"""Seconds after which a run hangs."""
SOON = 10.0
"""Seconds in which orphans must be gone."""


def command(folder: Path, count: int = COUNT) -> list[str]:
    """The run: small stamps, many shards."""
    recipe = folder.parent / "recipe.toml"
    recipe.write_text(RECIPE)
    options = {"recipe": recipe, "count": count, "shard": SHARD, "processes": PROCESSES}
    pairs = (part for name, value in options.items() for part in (f"--{name}", str(value)))
    return [sys.executable, "-m", "lensmill", "simulate", str(folder), *pairs]


def start(folder: Path, count: int = COUNT) -> subprocess.Popen[str]:
    """A run in a session of its own, so that Ctrl-C reaches it and its workers alone."""
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(command(folder, count), text=True, start_new_session=True, **pipes)


def finish(folder: Path, count: int = COUNT) -> float:
    """Run to the end; seconds from the first shard to the last."""
    run = start(folder, count)
    moments = [
        _appears(folder / name, run) for name in (FIRST, f"shard-{count // SHARD - 1:05d}.h5")
    ]
    output, _ = run.communicate(timeout=PATIENCE)
    assert run.returncode == 0, output
    return moments[1] - moments[0]


def _appears(path: Path, run: subprocess.Popen[str]) -> float:
    """The moment when a file is there, or the run is over."""
    _until(lambda: path.exists() or run.poll() is not None)
    return time.perf_counter()


def workers(parent: int) -> list[int]:
    """Worker processes of a run (spawn's own tracker is none)."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = status.read_text().rsplit(")", 1)[1].split()
            line = (status.parent / "cmdline").read_text()
        except OSError:  # gone meanwhile
            continue
        if int(after_name[1]) == parent and after_name[0] != "Z" and "spawn_main" in line:
            found.append(int(status.parent.name))
    return found


def _alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def _until(done: Callable[[], bool], patience: float = PATIENCE) -> None:
    limit = time.perf_counter() + patience
    while not done():
        assert time.perf_counter() < limit, "it hangs"
        time.sleep(0.005)


def _kill_worker(run: subprocess.Popen[str]) -> None:
    _until(lambda: bool(workers(run.pid)) or run.poll() is not None)
    for worker in workers(run.pid)[:1]:
        os.kill(worker, signal.SIGKILL)


KILLS: dict[str, Callable[[subprocess.Popen[str]], None]] = {
    "SIGKILL": lambda run: os.kill(run.pid, signal.SIGKILL),
    "SIGKILL of a worker": _kill_worker,
    "SIGTERM": lambda run: os.kill(run.pid, signal.SIGTERM),
    "Ctrl-C": lambda run: os.killpg(run.pid, signal.SIGINT),
}


def killed(
    folder: Path, how: str, delay: float, after: str = FIRST, count: int = COUNT
) -> dict[str, Any]:
    """Kill a run `delay` seconds after a file is there; nothing of it may hang or live on."""
    run = start(folder, count)
    _appears(folder / after, run)
    time.sleep(delay)
    running, hired = run.poll() is None, workers(run.pid)
    if running:
        KILLS[how](run)
    output, _ = run.communicate(timeout=PATIENCE)
    _until(lambda: not any(map(_alive, hired)), SOON)
    assert "Traceback" not in output, output
    return {
        "how": how,
        "after": after,
        "delay": round(delay, 2),
        "in_time": running,
        "exit_code": run.returncode,
        "shards": len(list(folder.glob("*.h5"))),
        "left_aside": len(list(folder.glob("*.part"))),
    }


def content(folder: Path) -> dict[str, bytes | dict[str, Any]]:
    """Every byte of a data set, but for the time and machine in its manifest."""
    found: dict[str, bytes | dict[str, Any]] = {
        path.name: path.read_bytes() for path in folder.iterdir()
    }
    manifest = json.loads((folder / "manifest.json").read_text())
    return {**found, "manifest.json": {**manifest, "provenance": None}}


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[dict[str, Any]]:
    """A disk of `size` bytes at `folder`; how it was made. Not without the right to mount."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size // 100, before[1]))
        try:
            yield {"disk": "a limit on the size of files"}
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        return
    try:
        yield {"disk": "tmpfs"}
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def full_disk(folder: Path, expected: dict[str, bytes | dict[str, Any]]) -> dict[str, Any]:
    """A run on a disk with room for half: a clear error, nothing aside, what is there is good."""
    size = sum(len(each) for each in expected.values() if isinstance(each, bytes))
    with small_disk(folder, size // 2) as disk:
        out = folder / "data"
        run = subprocess.run(command(out), text=True, capture_output=True, timeout=PATIENCE)
        assert run.returncode == 1, run.stderr
        assert "cannot write" in run.stderr, run.stderr
        assert "Traceback" not in run.stderr, run.stderr
        there = {path.name: path.read_bytes() for path in out.glob("shard-*")}
        assert all(expected[name] == each for name, each in there.items())
        shards = sum(name.endswith(".h5") for name in there)
        said = [line for line in run.stderr.splitlines() if "cannot write" in line][-1]
        return {**disk, "shards": shards, "said": said.replace(str(folder), "…")}


def main() -> None:
    """Kill, resume, compare, print and write."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    moments = random.Random(1)
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch) / "whole"
        seconds = finish(whole)
        expected, rows = content(whole), []
        for number in range(kills):
            folder = Path(scratch) / f"killed-{number}"
            how = list(KILLS)[number % len(KILLS)]
            after = (FIRST, "manifest.json")[number // len(KILLS) % 2]
            rows.append(killed(folder, how, moments.uniform(0, seconds), after))
            finish(folder)
            rows[-1]["identical"] = content(folder) == expected
            print(rows[-1], flush=True)
        result = {"kills": rows, "full_disk": full_disk(Path(scratch) / "disk", expected)}
    assert all(row["identical"] for row in rows)
    settings = {"count": COUNT, "shard": SHARD, "processes": PROCESSES, "seconds": seconds}
    command_line = f"python benchmarks/kill_simulate.py {kills}"
    result = {"command": command_line, **settings, **result, **provenance()}
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result["full_disk"], indent=1))


if __name__ == "__main__":
    main()
