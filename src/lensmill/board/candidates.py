"""Candidates: the rows of a run, finished or still growing, as one flat table with keys."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

KEY, PRODUCT = "key", "product"
GRADE_COLUMNS = ("grade", "grade_mean", "graders", "notes")
"""Columns that the board adds to a catalogue, and would not read back as a run's."""


class UnknownObjectError(KeyError):
    """No candidate has this key."""


class Candidates:
    """The rows of the folder `run`; `refresh` appends what was written since.

    `table`: the catalogue's columns, lists spread over one column per band, and two more: `key`,
    harmless wherever a name goes and the same for ever, and `product`, how the names of the
    object's files begin.
    """

    def __init__(self, run: Path) -> None:
        if not (run / "run.json").is_file() and not (run / "catalogue.parquet").is_file():
            raise ValueError(f"{run} holds no run: neither run.json nor catalogue.parquet")
        self.run = run
        self.table = pa.table({KEY: pa.array([], pa.string())})
        self.rows: dict[str, int] = {}
        self._seen: set[str] = set()
        self._lock = Lock()
        self.refresh()

    def refresh(self) -> None:
        """Append the parts that came since; a part is written aside and renamed, so it is whole."""
        with self._lock:
            new = [path for path in self._parts() if path.name not in self._seen]
            if new:
                names = bands(self.run)
                self._append([_flat(pq.read_table(path), path, names) for path in new])
                self._seen.update(path.name for path in new)

    def _parts(self) -> list[Path]:
        parts = sorted((self.run / "parts").glob("part-*.parquet"))
        whole = self.run / "catalogue.parquet"
        return parts if parts or not whole.is_file() else [whole]

    def _append(self, parts: list[pa.Table]) -> None:
        start = self.table.num_rows
        table = pa.concat_tables([self.table, *parts], promote_options="permissive")
        added = enumerate(table[KEY].slice(start).to_pylist(), start)
        self.table = table.combine_chunks()  # rows are taken from it one by one
        self.rows = {**self.rows, **{key: row for row, key in added}}

    def row_of(self, key: str) -> int:
        """Where the object `key` stands in the table; `UnknownObjectError` where it does not."""
        if key not in self.rows:
            raise UnknownObjectError(key)
        return self.rows[key]


def state(run: Path) -> dict[str, Any]:
    """What run.json says; nothing where there is none."""
    path = run / "run.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def bands(run: Path) -> list[str]:
    """The run's bands, in the order of its images."""
    return [str(band) for band in state(run).get("bands", [])]


def keys(table: pa.Table) -> Iterator[str]:
    """A name for each row, from its id and source; the n-th of the same has a name of its own."""
    seen: Counter[tuple[str, str]] = Counter()
    for pair in zip(_text(table, "id"), _text(table, "source"), strict=True):
        seen[pair] += 1
        yield blake2b("\0".join((*pair, str(seen[pair]))).encode(), digest_size=8).hexdigest()


def _text(table: pa.Table, name: str) -> Iterable[str]:
    known = name in table.column_names
    return map(str, table[name].to_pylist()) if known else [""] * table.num_rows


def _flat(part: pa.Table, path: Path, names: list[str]) -> pa.Table:
    """A part of the run as the board shows it."""
    fields, columns = [], []
    for field in part.schema:
        if field.name not in GRADE_COLUMNS:
            for each, column in _spread(field, part[field.name], names):
                if (kind := _plain_type(column.type)) is not None:
                    fields.append(each.with_type(kind))
                    columns.append(column.cast(kind))
    extra = {KEY: list(keys(part)), PRODUCT: list(_products(part, path))}
    fields += [pa.field(name, pa.string()) for name in extra]
    columns += [pa.chunked_array([pa.array(values, pa.string())]) for values in extra.values()]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


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
