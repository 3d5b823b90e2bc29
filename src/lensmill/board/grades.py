"""Grades: what graders said, as a log in SQLite that only grows.

Two tabs, two people and a killed server lose nothing: every mark is one transaction, the last one
of a grader counts, and a mark that is sent twice is kept once.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS marks (
    revision INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE, key TEXT NOT NULL, grader TEXT NOT NULL, round INTEGER NOT NULL,
    field TEXT NOT NULL, value TEXT NOT NULL, time TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS marks_of_an_object ON marks (key, grader, round, field);
"""
FIELDS = "uuid, key, grader, round, field, value"
GRADES = ("A", "B", "C", "X")
LONGEST_NOTE, LONGEST_NAME = 2000, 40


@dataclass(frozen=True)
class Mark:
    """One thing that one grader said of one object."""

    uuid: str  # the browser's, so that sending it again does no harm
    key: str
    grader: str
    round: int  # 1, or 2 where the object came again
    field: str  # "grade" or "note"
    value: str  # a grade of `GRADES`, a note, or nothing: taken back

    def check(self) -> None:
        """ValueError where it is not to be kept."""
        if not self.grader.strip() or len(self.grader) > LONGEST_NAME:
            raise ValueError(f"a grader has a name of 1 to {LONGEST_NAME} characters")
        if not 1 <= len(self.uuid) <= LONGEST_NAME or self.round not in (1, 2):
            raise ValueError("uuid: 1 to 40 characters; round: 1 or 2")
        if self.field not in ("grade", "note"):
            raise ValueError(f"no field {self.field!r}; choices: grade, note")
        if self.field == "grade" and self.value not in (*GRADES, ""):
            raise ValueError(f"no grade {self.value!r}; choices: {', '.join(GRADES)}")
        if len(self.value) > LONGEST_NOTE:
            raise ValueError(f"a note has at most {LONGEST_NOTE} characters")


class Grades:
    """The log at `path`, which is made where it is not."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._open() as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(SCHEMA)
        except sqlite3.Error as error:
            raise ValueError(f"{path}: {error}") from None

    def add(self, mark: Mark) -> int:
        """Keep a mark; the log's revision after it. It is on disk when this returns."""
        mark.check()
        values = (*astuple(mark), datetime.now(UTC).isoformat(timespec="seconds"))
        statement = f"INSERT OR IGNORE INTO marks ({FIELDS}, time) VALUES (?, ?, ?, ?, ?, ?, ?)"
        with self._open() as connection:
            connection.execute(statement, values)
        return self.revision()

    def revision(self) -> int:
        """Number of the last mark; 0 where there is none."""
        with self._open() as connection:
            (last,) = connection.execute("SELECT max(revision) FROM marks").fetchone()
        return last or 0

    def marks(self, until: int | None = None, keys: Sequence[str] | None = None) -> list[Mark]:
        """The marks that count, up to a revision, of some objects: the last ones of each grader."""
        among, values = "revision <= ?", [2**62 if until is None else until]
        if keys is not None:
            among += f" AND key IN ({', '.join('?' * len(keys))})"
        last = f"SELECT max(revision) FROM marks WHERE {among} GROUP BY key, grader, round, field"
        query = f"SELECT {FIELDS} FROM marks WHERE value != '' AND revision IN ({last})"
        with self._open() as connection:
            rows = connection.execute(f"{query} ORDER BY revision", (*values, *(keys or ())))
            return [Mark(*row) for row in rows]

    def count(self, grader: str) -> int:
        """Objects, without those that came again, that have a grade of `grader`."""
        last = "SELECT max(revision) FROM marks WHERE grader = ? AND round = 1 AND field = 'grade'"
        query = (
            f"SELECT count(*) FROM marks WHERE value != '' AND revision IN ({last} GROUP BY key)"
        )
        with self._open() as connection:
            (count,) = connection.execute(query, (grader,)).fetchone()
        return int(count)

    def graders(self) -> list[str]:
        """Everyone who said anything, by name."""
        with self._open() as connection:
            rows = connection.execute(
                "SELECT DISTINCT grader FROM marks ORDER BY grader"
            ).fetchall()
        return [name for (name,) in rows]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection for one transaction; it waits for those of others."""
        connection = sqlite3.connect(self.path, timeout=30)
        try:
            connection.execute("PRAGMA synchronous = FULL")
            with connection:
                yield connection
        finally:
            connection.close()
