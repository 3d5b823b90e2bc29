"""Export: grades as CSV or Parquet, and as columns of the run's catalogue."""

import io
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from lensmill.board.agreement import grade_columns
from lensmill.board.candidates import GRADE_COLUMNS, Candidates, keys
from lensmill.board.grades import Grades, Mark

KNOWN = ("id", "source", "ra", "dec", "p_lens")
"""Columns of the run that go with exported grades, where it has them."""
SUFFIXES = (".csv", ".parquet")
MARKS = pa.schema(
    [
        ("grader", pa.string()),
        ("round", pa.int64()),
        ("grade", pa.string()),
        ("note", pa.string()),
    ]
)


def exported(candidates: Candidates, grades: Grades, suffix: str) -> bytes:
    """A file with one row per object, grader and round. ValueError where the suffix is another."""
    if suffix not in SUFFIXES:
        raise ValueError(f"cannot export grades as {suffix!r}; choices: {', '.join(SUFFIXES)}")
    table, buffer = _said(candidates, grades.marks()), io.BytesIO()
    if suffix == ".csv":
        pyarrow.csv.write_csv(table, buffer)
    else:
        pq.write_table(table, buffer)
    return buffer.getvalue()


def _said(candidates: Candidates, marks: list[Mark]) -> pa.Table:
    """Known columns of each object, and what one grader said of it in one round."""
    said: dict[tuple[str, str, int], dict[str, str]] = {}
    for mark in marks:
        if mark.key in candidates.rows:
            said.setdefault((mark.key, mark.grader, mark.round), {})[mark.field] = mark.value
    rows = [{"grader": who, "round": time, **what} for (_, who, time), what in said.items()]
    places = pa.array([candidates.rows[key] for key, _, _ in said], pa.int64())
    names = [name for name in KNOWN if name in candidates.table.column_names]
    table = candidates.table.select(names).take(places)
    given = pa.Table.from_pylist(rows, schema=MARKS)
    for field, column in zip(given.schema, given.columns, strict=True):
        table = table.append_column(field, column)
    return table


def into_catalogue(run: Path, grades: Grades) -> int:
    """Write the graders' common grades into `run/catalogue.parquet`; how many objects have one.

    Columns grade, grade_mean, graders and notes; those of an earlier time are replaced. ValueError
    while the run has no catalogue yet.
    """
    path = run / "catalogue.parquet"
    if not path.is_file():
        raise ValueError(f"{path} is not there yet: the run is not finished")
    table = pq.read_table(path)
    columns = grade_columns(grades.marks(), list(keys(table, Counter())), "").select(GRADE_COLUMNS)
    table = table.drop_columns([name for name in GRADE_COLUMNS if name in table.column_names])
    for field, column in zip(columns.schema, columns.columns, strict=True):
        table = table.append_column(field, column)
    aside = path.with_name(f".part-{path.name}")
    pq.write_table(table, aside)
    aside.replace(path)
    return table.num_rows - columns["grade"].null_count
