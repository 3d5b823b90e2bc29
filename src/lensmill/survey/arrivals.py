"""Arrivals: what has come into a folder, whole, and what of it is done.

One line of watched.jsonl for each part that was written. A part without its line was cut off, and
is written again.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

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
    signed = ((entry, _signature(entry.files)) for entry in entries)
    return {entry: signature for entry, signature in signed if signature is not None}


def _signature(files: Iterable[Path]) -> Signature | None:
    """None where a file has gone since it was listed."""
    try:
        states = [(file.name, file.stat()) for file in files]
    except OSError:
        return None
    return tuple((name, state.st_size, state.st_mtime_ns) for name, state in states)


@dataclass(frozen=True)
class Arrivals:
    """The parts of a watched run, one for each batch of entries that arrived."""

    out: Path
    parts: list[dict[str, Signature]]
    """The signature with which each entry was read, by its source."""

    @classmethod
    def resumed(cls, out: Path) -> "Arrivals":
        """As the file says; a line that was cut off is none."""
        path = out / LINES
        texts = path.read_text(encoding="utf-8").splitlines(True) if path.is_file() else []
        whole = [text for text in texts if text.endswith("\n")]
        if len(whole) < len(texts):
            aside = path.with_name(f"{LINES}.part")
            aside.write_text("".join(whole), encoding="utf-8")
            aside.replace(path)
        return cls(out, [_parsed(text) for text in whole])

    @property
    def done(self) -> dict[str, Signature]:
        """The newest signature of every source."""
        return {source: each for part in self.parts for source, each in part.items()}

    def new(
        self, now: dict[Entry, Signature], before: dict[Entry, Signature]
    ) -> dict[Entry, Signature]:
        """What is not done and has not changed since it was last looked at."""
        done = self.done
        return {
            entry: signature
            for entry, signature in now.items()
            if before.get(entry) == signature and done.get(entry.source) != signature
        }

    def add(self, entries: dict[Entry, Signature]) -> None:
        """The next part is written: it holds `entries`."""
        part = {entry.source: signature for entry, signature in entries.items()}
        with (self.out / LINES).open("a", encoding="utf-8") as file:
            file.write(json.dumps(part) + "\n")
        self.parts.append(part)

    def newest(self, number: int) -> set[str]:
        """The sources that no later part has read again."""
        later = {source for part in self.parts[number + 1 :] for source in part}
        return set(self.parts[number]) - later


def _parsed(text: str) -> dict[str, Signature]:
    return {
        source: tuple((name, size, time) for name, size, time in files)
        for source, files in json.loads(text).items()
    }
