"""Candidates: the rows of a run, finished or still growing, as one flat table with keys."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lensmill.evaluation.files import read_json
from lensmill.survey.arrivals import Arrivals, rows_from
from lensmill.survey.manifest import part_path

KEY, PRODUCT = "key", "product"
GRADE_COLUMNS = ("grade", "grade_mean", "graders", "notes")
"""Columns that the board adds to a catalogue, and would not read back as a run's."""
ALWAYS = np.iinfo(np.int64).max


class UnknownObjectError(KeyError):
    """No candidate has this key."""


class Candidates:
    """The rows of the folder `run`; `refresh` appends what was written since.

    `table`: the catalogue's columns, lists spread over one column per band, and two more: `key`,
    harmless wherever a name goes and the same for ever, and `product`, how the names of the
    object's files begin. What a watch has read again stays where it stood, so that lists stand
    still, but is not `current` in longer tables. `rows`: where each key stands, its newest row.
    """

    def __init__(self, run: Path) -> None:
        if not (run / "run.json").is_file() and not (run / "catalogue.parquet").is_file():
            raise ValueError(f"{run} holds no run: neither run.json nor catalogue.parquet")
        self.run = run
        self.table = pa.table({KEY: pa.array([], pa.string())})
        self.rows: dict[str, int] = {}
        self._parts: dict[Path, range] = {}  # what is in the table, and in which rows
        self._until = np.empty(0, np.int64)  # rows of the longest table in which each is current
        self._counts: Counter[str] = Counter()  # current rows of the same id and source
        self._lock = Lock()
        self.refresh()

    def refresh(self) -> None:
        """Append the parts that came since; a part is written aside and renamed, so it is whole."""
        with self._lock:
            files = self._files()
            if all(path in self._parts for path in files):
                return
            counting = self._counting(files)
            for path, rows in self._parts.items():
                if (sources := counting.get(path)) is not None:
                    self._supersede(rows, sources)
            new = {path: each for path, each in counting.items() if path not in self._parts}
            if new:
                self._append(new)

    def _files(self) -> list[Path]:
        parts = sorted((self.run / "parts").glob("part-*.parquet"))
        whole = self.run / "catalogue.parquet"
        return parts if parts or not whole.is_file() else [whole]

    def _counting(self, files: list[Path]) -> dict[Path, set[str] | None]:
        """The files, each with the sources whose rows count, None: all, as a watch joins its own.

        A part that the watch has not told of yet is none: if it is killed, it makes it again.
        """
        if "watched" in state(self.run) and files[0].parent.name == "parts":
            newest = Arrivals.found(self.run).newest
            return {part_path(self.run, number): each for number, each in enumerate(newest)}
        return dict.fromkeys(files)

    def _supersede(self, rows: range, sources: set[str]) -> None:
        """Of a part's `rows`, those that are not from `sources` are current no more."""
        there = self.table.slice(rows.start, len(rows))
        for row, pair in zip(rows, _pairs(there), strict=True):
            if pair[1] not in sources and self._until[row] == ALWAYS:
                self._until[row] = self.table.num_rows
                self._counts[_key(*pair, 1)] -= 1

    def _append(self, parts: dict[Path, set[str] | None]) -> None:
        names, end = bands(self.run), self.table.num_rows
        tables = [_flat(pq.read_table(path), path, names, each) for path, each in parts.items()]
        new = pa.concat_tables(tables, promote_options="permissive")
        added = list(keys(new, self._counts))
        rows = {key: row for row, key in enumerate(added, end)}
        new = new.append_column(KEY, pa.array(added, pa.string()))
        table = pa.concat_tables([self.table, new], promote_options="permissive")
        self._until = np.append(self._until, np.full(len(added), ALWAYS))
        self.table = table.combine_chunks()  # rows are taken from it one by one
        self.rows = {**self.rows, **rows}
        for path, part in zip(parts, tables, strict=True):
            self._parts[path] = range(end, end := end + part.num_rows)

    def current(self, rows: int) -> NDArray[np.bool_]:
        """Of the first `rows` rows, those that none of the others supersedes."""
        return self._until[:rows] >= rows

    def rows_of(self, key: str) -> NDArray[np.intp]:
        """Where the object `key` stands, and where it stood before it was read again."""
        return np.flatnonzero(pc.equal(self.table[KEY], key))

    def row_of(self, key: str) -> int:
        """Where the object `key` stands in the table; `UnknownObjectError` where it does not."""
        if key not in self.rows:
            raise UnknownObjectError(key)
        return self.rows[key]


def state(run: Path) -> dict[str, Any]:
    """What run.json says; nothing where there is none."""
    path = run / "run.json"
    return read_json(path) if path.is_file() else {}


def bands(run: Path) -> list[str]:
    """The run's bands, in the order of its images."""
    return [str(band) for band in state(run).get("bands", [])]


def keys(table: pa.Table, counts: Counter[str]) -> Iterator[str]:
    """A name for each row, from its id and source; the n-th of the same has a name of its own.

    counts: by the name of the first, how many there were before; they are counted on.
    """
    for pair in _pairs(table):
        first = _key(*pair, 1)
        counts[first] += 1
        yield first if counts[first] == 1 else _key(*pair, counts[first])


def _key(id: str, source: str, number: int) -> str:
    return blake2b("\0".join((id, source, str(number))).encode(), digest_size=8).hexdigest()


def _pairs(table: pa.Table) -> Iterable[tuple[str, str]]:
    """id and source of each row."""
    return zip(_text(table, "id"), _text(table, "source"), strict=True)


def _text(table: pa.Table, name: str) -> Iterable[str]:
    known = name in table.column_names
    return map(str, table[name].to_pylist()) if known else [""] * table.num_rows


def _flat(part: pa.Table, path: Path, names: list[str], sources: set[str] | None) -> pa.Table:
    """A part of the run as the board shows it, but for its keys; only what is from `sources`."""
    fields, columns = [], []
    for field in part.schema:
        if field.name not in GRADE_COLUMNS:
            for each, column in _spread(field, part[field.name], names):
                if (kind := _plain_type(column.type)) is not None:
                    fields.append(each.with_type(kind))
                    columns.append(column.cast(kind))
    fields.append(pa.field(PRODUCT, pa.string()))
    columns.append(pa.chunked_array([pa.array(_products(part, path), pa.string())]))
    table = pa.Table.from_arrays(columns, schema=pa.schema(fields))
    return table if sources is None else rows_from(table, sources)


def _plain_type(kind: pa.DataType) -> pa.DataType | None:
    """Text or a number, as which a column is shown; None for what is neither."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_boolean(kind):
        return pa.int8()
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pa.string()
    return kind if pa.types.is_integer(kind) or pa.types.is_floating(kind) else None


def _spread(
    field: pa.Field, column: pa.ChunkedArray, names: list[str]
) -> Iterator[tuple[pa.Field, pa.ChunkedArray]]:
    """A column as it is, or a list's items as `name_band`."""
    if not pa.types.is_list(field.type):
        yield field, column
        return
    rows = column.to_pylist()
    count = max((len(row) for row in rows if row), default=0)
    for place, band in enumerate([*names, *map(str, range(len(names), count))][:count]):
        items = [row[place] if row and place < len(row) else None for row in rows]
        array = pa.chunked_array([pa.array(items, field.type.value_type)])
        yield field.with_name(f"{field.name}_{band}").with_type(field.type.value_type), array


def _products(part: pa.Table, path: Path) -> Iterator[str | None]:
    """How the names of an object's files begin: as its picture's, or by its part and number."""
    number = re.search(r"\d+", path.stem)
    for row, picture in enumerate(_text(part, "picture")):
        if picture not in ("", "None"):
            yield Path(picture).stem
        else:
            yield f"{int(number[0]):05d}_{row:05d}_" if number else None
