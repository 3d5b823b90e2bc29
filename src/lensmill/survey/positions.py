"""Positions: where to cut stamps, from a table of any format or a HATS catalogue."""

import csv
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lensmill.simulation.population.tables import Column, Table, read_table
from lensmill.survey.reading import Position

ID = ("id", "objectid", "object_id", "coadd_object_id", "source_id", "objid", "name", "number")
RA = ("ra", "coord_ra", "right_ascension", "raj2000", "alpha_j2000", "alphawin_j2000", "ra_deg")
DEC = ("dec", "coord_dec", "declination", "dej2000", "delta_j2000", "deltawin_j2000", "dec_deg")
PARQUET = (".parquet", ".pq")


def read_positions(path: Path) -> list[Position]:
    """A position for each row: right ascension and declination in degrees, NaN where missing.

    Where there is no id it is the row's number. ValueError where there is no such table, it
    is empty, or has no column for the coordinates.
    """
    table = _hats(path) if path.is_dir() else _table(path)
    ra, dec = (_coordinate(table, names) for names in (RA, DEC))
    if not len(ra):
        raise ValueError(f"{path}: a table without a row")
    ids = _ids(table, len(ra))
    return [Position(*row) for row in zip(ids, ra.tolist(), dec.tolist(), strict=True)]


def _find(columns: list[str], names: tuple[str, ...]) -> str | None:
    """The column with the first of `names`, whatever its case."""
    there = {column.lower(): column for column in reversed(columns)}
    return next((there[name] for name in names if name in there), None)


def _wanted(columns: list[str]) -> list[str]:
    return [found for names in (ID, RA, DEC) if (found := _find(columns, names))]


def _table(path: Path) -> Table:
    """Of Parquet, which may be wide, the columns that are used; else all."""
    if path.suffix.lower() == ".csv":
        return _with_ids(read_table(path))
    if path.suffix.lower() not in PARQUET or not path.is_file():
        return read_table(path)
    try:
        schema = pq.read_schema(path)
        return _from_arrow(path, pq.read_table(path, columns=_wanted(schema.names)))
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"{path} is no table that can be read: {error}") from error


def _from_arrow(path: Path, table: pa.Table) -> Table:
    units = {field.name: (field.metadata or {}).get(b"unit", b"") for field in table.schema}
    columns = {
        name: Column(table[name].to_numpy(), unit.decode() or None) for name, unit in units.items()
    }
    if name := _find(table.column_names, ID):  # numpy makes floats of numbers with a null
        columns[name] = Column(np.array(table[name].to_pylist(), object))
    return Table(path, columns)


def _with_ids(table: Table) -> Table:
    """CSV with its ids as they are written: 0007 is no number."""
    name = _find(list(table.columns), ID)
    with table.path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        rows = csv.DictReader(file, skipinitialspace=True)
        rows.fieldnames = [each.strip() for each in rows.fieldnames or ()]
        ids = [(row[name] or "").strip() for row in rows] if name in rows.fieldnames else []
    if name is None or len(ids) != len(table.columns[name].values):
        return table  # one that `csv` does not take apart as astropy does
    return Table(table.path, {**table.columns, name: Column(np.array(ids, object))})


def _hats(path: Path) -> Table:
    """The columns that are used of a HATS catalogue."""
    try:
        lsdb = import_module("lsdb")
    except ImportError:
        raise ValueError(
            f"{path}: a HATS catalogue is read with lsdb: pip install 'lensmill[hats]'"
        ) from None
    catalogue = lsdb.open_catalog(path)
    rows = catalogue[_wanted(list(catalogue.columns))].compute()
    columns = {name: Column(rows[name].to_numpy()) for name in rows.columns}
    if name := _find(list(columns), ID):
        columns[name] = Column(rows[name].to_numpy(object, na_value=None))
    return Table(path, columns)


def _coordinate(table: Table, names: tuple[str, ...]) -> NDArray[np.float64]:
    name = _find(list(table.columns), names)
    if name is None:
        raise ValueError(
            f"{table.path}: no column {names[0]!r} (or {', '.join(names[1:])}); "
            f"it has {', '.join(table.columns) or 'none of use'}"
        )
    return table.column(name, "deg")


def _ids(table: Table, count: int) -> list[str]:
    name = _find(list(table.columns), ID)
    if name is None:
        return [str(number) for number in range(count)]
    values = table.columns[name].values
    mask = np.ma.getmaskarray(values)
    texts = map(_text, np.ma.getdata(values).astype(object))
    return [
        str(row) if missing or not text else text
        for row, (missing, text) in enumerate(zip(mask, texts, strict=True))
    ]


def _text(value: Any) -> str:
    """Nothing where there is no id."""
    if value is None or value != value:
        return ""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
