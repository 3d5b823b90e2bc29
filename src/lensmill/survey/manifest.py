"""Manifest: what of a run is done, one line for each part file, with its digest.

A part counts as done when its line is here, the file has the digest that the line says, and what it
was read from is as it was (`files`, a digest of the files' sizes and times). Lines
are added by the run itself, never by its workers: two of them may, after a failure, have made the
same part, which is then the same file.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lensmill.provenance import file_digest

MANIFEST = "manifest.jsonl"
PARTS = "parts"
ASIDE = ".aside-"
"""What a file's name begins with while it is being written."""

Line = dict[str, Any]


def part_path(out: Path, number: int) -> Path:
    """The file of partition `number`."""
    return out / PARTS / f"part-{number:05d}.parquet"


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """The folder `out`, made where there is none, for this process and its workers alone.

    ValueError where another is at work in it: what that has half written would be taken for left
    over. The lock ends with its process, however that ends; not every file system has locks.
    """
    out.mkdir(parents=True, exist_ok=True)
    if os.name != "posix":
        yield
        return
    folder = os.open(out, os.O_RDONLY)
    try:
        _lock(folder, out)
        yield
    finally:
        os.close(folder)


def _lock(folder: int, out: Path) -> None:
    import fcntl

    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ValueError(
            f"{out}: another run is at work there; wait for its end, or choose another --out"
        ) from None
    except OSError:  # a file system without locks
        return


def resumed(out: Path, files: Mapping[int, str]) -> dict[int, Line]:
    """Lines of the parts that are done, by number, of those whose `files` are as they were.

    What was left aside is removed, and so are parts of other files.
    """
    tidy(out)
    whole = {line["part"]: line for line in _lines(out / MANIFEST) if _whole(out, line)}
    lines = {n: line for n, line in whole.items() if line.get("files") == files.get(n, "gone")}
    for number in whole.keys() - lines.keys():
        part_path(out, number).unlink()
    _rewrite(out / MANIFEST, "".join(json.dumps(line) + "\n" for line in lines.values()))
    return lines


def tidy(out: Path) -> None:
    """Remove what those who were killed left aside."""
    for path in (*out.glob(f"{ASIDE}*"), *(out / PARTS).glob(f"{ASIDE}*")):
        path.unlink(missing_ok=True)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write aside, then rename."""
    _rewrite(path, json.dumps(content, indent=1))


def add_line(out: Path, line: Line) -> None:
    """Add what a part is."""
    with (out / MANIFEST).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def _lines(path: Path) -> list[Line]:
    """The lines; one that was cut off by a failure is none."""
    texts = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [line for line in map(_parsed, texts) if line is not None]


def _parsed(text: str) -> Line | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) and {"part", "digest"} <= line.keys() else None


def _whole(out: Path, line: Line) -> bool:
    path = part_path(out, line["part"])
    return path.is_file() and file_digest(path) == line["digest"]


def _rewrite(path: Path, text: str) -> None:
    aside = path.with_name(f"{ASIDE}{path.name}")
    try:
        aside.write_text(text, encoding="utf-8")
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
