"""Manifest: what of a run is done, one line for each part file, with its digest.

A part counts as done when its line is here and the file has the digest that the line says. Lines
are added by the run itself, never by its workers: two of them may, after a failure, have made the
same part, which is then the same file.
"""

import json
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


def resumed(out: Path) -> dict[int, Line]:
    """Lines of the parts that are there and whole, by number; what was left aside is removed."""
    tidy(out)
    lines = {line["part"]: line for line in _lines(out / MANIFEST) if _whole(out, line)}
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
