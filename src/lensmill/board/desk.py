"""Desk: everything that the pages show and do, as dictionaries; it knows nothing of HTTP."""

import math
from dataclasses import replace
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lensmill.board.agreement import COLUMNS, grade_columns, summary
from lensmill.board.arrange import Arrangement, Query, arrange
from lensmill.board.candidates import KEY, PRODUCT, Candidates, bands, state
from lensmill.board.curves import critical_curves
from lensmill.board.grades import GRADES, Grades, Mark
from lensmill.board.images import COLOUR, PANELS, Products, shape
from lensmill.evaluation.pictures import STRETCHES

FOLDER = "board"
"""Of the run's folder: where the board keeps what is its own."""
MOST = 500
"""Objects in one answer."""
HIDDEN = (KEY, PRODUCT)

Json = dict[str, Any]


def open_folder(run: Path) -> tuple[Candidates, Grades]:
    """The candidates and grades of a run's folder. ValueError where it holds no run."""
    return Candidates(run), Grades(run / FOLDER / "grades.sqlite")


class Desk:
    """The candidates of a run, and what graders say of them."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.candidates, self.grades = open_folder(run)
        self.products = Products(run)
        self._graded = lru_cache(8)(self._graded_table)
        self._arranged = lru_cache(8)(self._arrange)

    def state(self, grader: str = Query.grader) -> Json:
        """What there is now: columns, bands, graders, and how far the run and a grader are."""
        self.candidates.refresh()
        said = state(self.run)
        return {
            "run": self.run.resolve().name,
            "board": blake2b(str(self.run.resolve()).encode(), digest_size=8).hexdigest(),
            "rows": (rows := self.candidates.table.num_rows),
            "candidates": int(self.candidates.current(rows).sum()),
            "revision": self.grades.revision(),
            "finished": "objects" in said or not said,
            "files": said.get("entries"),
            "has_images": (self.run / "images").is_dir(),
            "bands": [COLOUR, *bands(self.run)],
            "panels": PANELS,
            "stretches": list(STRETCHES),
            "grades": GRADES,
            "graders": self.grades.graders(),
            "graded": self.grades.count(grader),
            "columns": self.columns(),
        }

    def columns(self) -> list[Json]:
        """Name, type, unit and meaning of everything that can be sorted and filtered by."""
        fields = [f for f in (*self.candidates.table.schema, *COLUMNS) if f.name not in HIDDEN]
        return [_column(field) for field in fields]

    def page(self, query: Query, offset: int, limit: int) -> Json:
        """`limit` objects of a list, from the place `offset` on."""
        query = self._pinned(query)
        arranged = self._arranged(query)
        chosen = slice(max(offset, 0), max(offset, 0) + min(max(limit, 0), MOST))
        table = self.candidates.table.take(pa.array(arranged.rows[chosen]))
        rounds = arranged.rounds[chosen].tolist()
        return {
            "total": len(arranged.rows),
            "offset": chosen.start,
            "rows": query.rows,
            "revision": query.revision,
            "objects": self._objects(table, rounds, query.grader),
        }

    def single(self, query: Query, key: str, place: int) -> Json:
        """One object, its curves, and its place in a list: `place` if it is there, or the first.

        `UnknownObjectError` where there is no such object.
        """
        query = self._pinned(query)
        row = self.candidates.row_of(key)
        arranged = self._arranged(query)
        found = _place(arranged, self.candidates.rows_of(key), place)
        number = 1 if found is None else int(arranged.rounds[found])
        table = self.candidates.table.slice(row, 1)
        (values,) = table.to_pylist()
        return {
            "total": len(arranged.rows),
            "place": found,
            "rows": query.rows,
            "revision": query.revision,
            "object": self._objects(table, [number], query.grader)[0],
            "shape": shape(self.products, values),
            "curves": critical_curves(values),
        }

    def next_ungraded(self, query: Query, start: int) -> Json:
        """The first place from `start` on, or else from the top, that the grader has not graded."""
        query = self._pinned(query)
        arranged = self._arranged(query)
        done = {
            (mark.key, mark.round)
            for mark in self.grades.marks()
            if mark.grader == query.grader and mark.field == "grade"
        }
        keys = self.candidates.table[KEY].take(pa.array(arranged.rows)).to_pylist()
        places = list(zip(keys, arranged.rounds.tolist(), strict=True))
        total, first = len(places), max(start, 0)
        turns = (place % total for place in range(first, first + total))
        return {"total": total, "place": next((p for p in turns if places[p] not in done), None)}

    def mark(self, mark: Mark) -> Json:
        """Keep what a grader says. ValueError where it is nonsense, errors as `single`."""
        self.candidates.row_of(mark.key)
        return {"revision": self.grades.add(mark)}

    def summary(self) -> Json:
        """Counts, consistency and agreement of the graders."""
        return summary(self.grades.marks())

    def row(self, key: str) -> Json:
        """The columns of one object. `UnknownObjectError` where there is none."""
        (values,) = self.candidates.table.slice(self.candidates.row_of(key), 1).to_pylist()
        return dict(values)

    def _pinned(self, query: Query) -> Query:
        """A query that says which rows and grades it is about."""
        rows, revision = self.candidates.table.num_rows, self.grades.revision()
        return replace(
            query,
            rows=rows if query.rows is None else min(query.rows, rows),
            revision=revision if query.revision is None else min(query.revision, revision),
        )

    def _arrange(self, query: Query) -> Arrangement:
        table = self._graded(query.rows, query.revision, query.grader)
        return arrange(table, query, self.candidates.current(table.num_rows))

    def _graded_table(self, rows: int, revision: int, grader: str) -> pa.Table:
        """The first `rows` candidates with the columns of their grades."""
        table = self.candidates.table.slice(0, rows)
        columns = grade_columns(self.grades.marks(revision), table[KEY].to_pylist(), grader)
        for field, column in zip(columns.schema, columns.columns, strict=True):
            table = table.append_column(field, column)
        return table

    def _objects(self, table: pa.Table, rounds: list[int], grader: str) -> list[Json]:
        """Rows as JSON has them, with the grades of this very moment."""
        keys = list(dict.fromkeys(table[KEY].to_pylist()))
        marks = self.grades.marks(keys=keys)
        columns = grade_columns(marks, keys, grader)
        said = dict(zip(keys, columns.to_pylist(), strict=True))
        again = {(m.key, m.field): m.value for m in marks if (m.grader, m.round) == (grader, 2)}
        return [
            _object(
                values, _second(again, values[KEY]) if number == 2 else said[values[KEY]], number
            )
            for values, number in zip(table.to_pylist(), rounds, strict=True)
        ]


def _object(values: Json, said: Json, number: int) -> Json:
    shown = {name: _plain(value) for name, value in (values | said).items() if name != PRODUCT}
    return {**shown, "round": number}


def _second(again: dict[tuple[str, str], str], key: str) -> Json:
    """Whoever sees an object for the second time is not told what was said the first time."""
    hidden = dict.fromkeys(("grade", "grade_mean", "graders", "notes"))
    return {**hidden, "my_grade": again.get((key, "grade")), "my_note": again.get((key, "note"))}


def _place(arranged: Arrangement, rows: NDArray[np.intp], place: int) -> int | None:
    """Of the first of `rows`; or `place`, if one of them is there."""
    places = np.isin(arranged.rows, rows).nonzero()[0]
    if place in places:
        return place
    return int(places[0]) if len(places) else None


def _plain(value: Any) -> Any:
    """A value as JSON can say it: numbers that are none are null, others have seven digits."""
    if isinstance(value, float):
        return float(f"{value:.7g}") if math.isfinite(value) else None
    return value


def _column(field: pa.Field) -> Json:
    metadata = field.metadata or {}
    return {
        "name": field.name,
        "type": "text" if pa.types.is_string(field.type) else "number",
        "unit": metadata.get(b"unit", b"").decode(),
        "meaning": metadata.get(b"description", b"").decode(),
    }
