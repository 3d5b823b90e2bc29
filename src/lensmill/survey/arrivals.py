"""Arrivals: what has come into a folder, whole, and what of it is done.

One line of watched.jsonl for each part that was written. A part without its line was cut off, and
is written again.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc

from lensmill.survey.listing import ARRAYS, BAND_CUBES, FILE_PER_BAND, FILE_PER_OBJECT, PARQUET
from lensmill.survey.sidecar import sidecar_path
from lensmill.survey.stamps import Entry, Reading, find_objects

LINES = "watched.jsonl"

Signature = tuple[tuple[str, int, int], ...]
"""Name, size and time (ns) of each file of an entry."""


def listed(folder: Path, reading: Reading) -> dict[Entry, Signature]:
    """The entries that are there now; none in a folder that holds no images yet."""
    try:
        entries = find_objects(folder, reading)
    except ValueError:
        if not folder.is_dir():
            raise
        return {}
    signed = ((entry, signature_of(entry)) for entry in entries)
    return {entry: signature for entry, signature in signed if signature is not None}


def signature_of(entry: Entry) -> Signature | None:
    """Of its files and their sidecars; None where one has gone since it was listed."""
    try:
        states = [(file.name, file.stat()) for file in _files(entry)]
    except OSError:
        return None
    return tuple((name, state.st_size, state.st_mtime_ns) for name, state in states)


def _files(entry: Entry) -> Iterator[Path]:
    yield from entry.files
    if entry.layout in (ARRAYS, PARQUET):
        yield from filter(None, map(sidecar_path, entry.files))


@dataclass(frozen=True)
class Arrivals:
    """The parts of a watched run, one for each batch of entries that arrived."""

    out: Path
    parts: list[dict[str, Signature]]
    """The signature with which each entry was read, by its `_key`."""

    @classmethod
    def found(cls, out: Path) -> "Arrivals":
        """As the file says; a line that is not whole, or not yet, is none."""
        return cls(out, [_parsed(text) for text in _lines(out) if text.endswith("\n")])

    @classmethod
    def resumed(cls, out: Path) -> "Arrivals":
        """As the file says, for who adds to it: a line that was cut off goes."""
        lines = _lines(out)
        if lines and not lines[-1].endswith("\n"):
            aside = out / f"{LINES}.part"
            aside.write_text("".join(lines[:-1]), encoding="utf-8")
            aside.replace(out / LINES)
        return cls.found(out)

    @property
    def done(self) -> dict[str, Signature]:
        """The newest signature of every entry."""
        return {key: each for part in self.parts for key, each in part.items()}

    def new(
        self, now: dict[Entry, Signature], before: dict[Entry, Signature]
    ) -> dict[Entry, Signature]:
        """What is not done and has not changed since it was last looked at."""
        done = self.done
        return {
            entry: signature
            for entry, signature in now.items()
            if before.get(entry) == signature and done.get(_key(entry)) != signature
        }

    def add(self, entries: dict[Entry, Signature]) -> None:
        """The next part is written: it holds `entries`."""
        part = {_key(entry): signature for entry, signature in entries.items()}
        with (self.out / LINES).open("a", encoding="utf-8") as file:
            file.write(json.dumps(part) + "\n")
        self.parts.append(part)

    @property
    def newest(self) -> list[set[str]]:
        """Of each part, the sources of the entries that no later part has read again."""
        found: list[set[str]] = []
        later: set[str] = set()
        for part in reversed(self.parts):
            found.append({_source(key, part[key]) for key in part.keys() - later})
            later |= part.keys()
        return found[::-1]


def rows_from(table: pa.Table, sources: set[str]) -> pa.Table:
    """The rows of a part that were read from `sources`."""
    return table.filter(pc.is_in(table["source"], pa.array(sorted(sources), pa.string())))


def _key(entry: Entry) -> str:
    """What an entry is called whichever of its files are there, beside its source.

    Of bands that come one by one another is the first each time. Ids alone are not enough: x.fits,
    x.h5 and x/g.fits share one.
    """
    source = PurePosixPath(entry.source)
    if entry.layout == BAND_CUBES:
        return str(source.with_name("*.fits"))
    if entry.layout in (FILE_PER_OBJECT, FILE_PER_BAND):
        return f"{entry.id}.fits"
    return entry.source


def _source(key: str, files: Signature) -> str:
    """The source of the rows of an entry: its first file."""
    return str(PurePosixPath(key).with_name(files[0][0]))


def _lines(out: Path) -> list[str]:
    path = out / LINES
    return path.read_text(encoding="utf-8").splitlines(True) if path.is_file() else []


def _parsed(text: str) -> dict[str, Signature]:
    return {
        key: tuple((name, size, time) for name, size, time in files)
        for key, files in json.loads(text).items()
    }
