"""Tables: columns by name, with their units, from whatever file they are in.

Parquet by pyarrow; HDF5 files of plain arrays by h5py; LensPop's lists by their width; everything
else (FITS, VOTable, ECSV, CSV, IPAC, HDF5 of astropy …) by astropy.
"""

import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lensmill import provenance

Array = NDArray[np.float64]

PARQUET, HDF5, PLAIN = (".parquet", ".pq"), (".hdf5", ".h5", ".hdf"), (".txt", ".dat")

_LISTED = "z_lens z_source theta_E velocity_dispersion q_lens radius_lens"
LENSPOP = {
    25: f"{_LISTED} g_lens r_lens i_lens x_source y_source q_source position_angle_source "
    "radius_source g_source r_source i_source magnification".split(),
    24: f"{_LISTED} x_source y_source q_source position_angle_source radius_source magnification "
    "g_lens g_source _ _ r_lens r_source _ _ i_lens i_source".split(),
}
"""Columns of LensPop's lists by their number; the rest (seeing, S/N) is not read.

Radii are rounded to 0.01″, so that those of 0 are below 0.005″. Lenses point along +y; the angles
of sources are counted from +x there (only so do the magnifications come out), here from +y.
"""


class Key(NamedTuple):
    """What a column means."""

    unit: str
    low: float = -1e9
    high: float = 1e9
    needed: bool = True


@dataclass(frozen=True)
class Column:
    """Values (row,), and the unit that the file gives them, as astropy writes it."""

    values: NDArray[Any]
    unit: str | None = None


@dataclass(frozen=True)
class Table:
    """The columns of one file."""

    path: Path
    columns: dict[str, Column]

    def column(self, name: str, wanted: str, given: str | None = None) -> Array:
        """Column `name` in the unit `wanted`; `given`: its unit, whatever the file says.

        NaN where the file has no value. ValueError names the file, the column and the choices.
        """
        if name not in self.columns:
            raise ValueError(f"{self.path}: no column {name!r}; {self._choices(name)}")
        column = self.columns[name]
        try:
            values = np.ma.filled(np.ma.asarray(column.values).astype(np.float64), np.nan)
        except (TypeError, ValueError):
            raise ValueError(f"{self.path}: column {name!r} is not of numbers") from None
        if values.ndim != 1:
            raise ValueError(f"{self.path}: column {name!r} has {values.shape[1:]} values a row")
        return self._converted(name, values, given or column.unit, wanted)

    def _choices(self, name: str) -> str:
        close = get_close_matches(name, self.columns, 1)
        return f"did you mean {close[0]!r}?" if close else f"choices: {', '.join(self.columns)}"

    def _converted(self, name: str, values: Array, unit: str | None, wanted: str) -> Array:
        """`values` in `wanted`; a column without a unit is in it already."""
        from astropy import units

        if not unit or unit == wanted or (wanted == "mag" and unit == "mag(AB)"):
            return values
        try:
            factor = units.Unit(unit).to(units.Unit(wanted))
        except (ValueError, TypeError, units.UnitConversionError):
            raise ValueError(
                f"{self.path}: column {name!r} is in {unit!r}, not in {wanted or 'plain numbers'}; "
                "if the file is wrong, say so in `units`"
            ) from None
        return np.asarray(values * factor)


def read_table(path: Path) -> Table:
    """The table in a file; ValueError says what cannot be read."""
    if not path.is_file():
        raise ValueError(f"no table {path}")
    suffix = path.suffix.lower()
    try:
        if suffix in PARQUET:
            return Table(path, _parquet(path))
        if suffix in PLAIN and (rows := _numbers(path)) is not None:
            return Table(path, _lenspop(rows))
        if suffix in HDF5 and (columns := _arrays(path)):
            return Table(path, columns)
        return Table(path, _astropy(path))
    except Exception as error:
        raise ValueError(f"{path} is no table that can be read: {error}") from error


def _parquet(path: Path) -> dict[str, Column]:
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    units = {field.name: (field.metadata or {}).get(b"unit") for field in table.schema}
    return {
        name: Column(table[name].to_numpy(), unit.decode() if unit else None)
        for name, unit in units.items()
    }


def _numbers(path: Path) -> Array | None:
    """The rows of a list of LensPop's: no header but comments, numbers in 24 or 25 columns."""
    try:
        rows = np.loadtxt(path, ndmin=2)
    except ValueError:
        return None
    return rows if rows.shape[1] in LENSPOP else None


def _lenspop(rows: Array) -> dict[str, Column]:
    named = zip(LENSPOP[rows.shape[1]], rows.T, strict=False)
    columns = {name: Column(values) for name, values in named if name != "_"}
    radius = np.maximum(columns["radius_source"].values, 0.005)
    angle = columns["position_angle_source"].values - 90
    return {**columns, "radius_source": Column(radius), "position_angle_source": Column(angle)}


def _arrays(path: Path) -> dict[str, Column]:
    """The one-dimensional plain arrays of an HDF5 file, by the last part of their names."""
    import h5py

    found: dict[str, Column] = {}

    def visit(name: str, item: Any) -> None:
        plain = isinstance(item, h5py.Dataset) and item.ndim == 1 and not item.dtype.names
        if plain and not name.endswith("__table_column_meta__"):
            found[name.split("/")[-1]] = Column(item[:], item.attrs.get("unit"))

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


def _astropy(path: Path) -> dict[str, Column]:
    from astropy import table as tables

    plain = {"format": "ascii"} if path.suffix.lower() in PLAIN else {}
    table = tables.Table.read(path, **plain)
    return {
        name: Column(np.ma.asarray(table[name]), str(table[name].unit or "") or None)
        for name in table.colnames
    }


def digest(*columns: Array) -> str:
    """Of what is in them: a file's name does not say."""
    return provenance.digest(b"".join(column.tobytes() for column in columns))


def check_names(table: str, option: str, names: Collection[str], known: Collection[str]) -> None:
    """ValueError where one of `names` is not `known`."""
    for name in names:
        if name not in known:
            close = get_close_matches(name, known, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"choices: {', '.join(known)}"
            raise ValueError(f"{table}: {option} has no {name!r}; {hint}")


def mapped(
    table: Table, keys: Mapping[str, Key], columns: dict[str, str], units: dict[str, str]
) -> dict[str, Array]:
    """The `keys` that the table has, in their units; all that `columns` names must be there."""
    rows = {}
    for name, key in keys.items():
        column = columns.get(name, name)
        if key.needed or name in columns or column in table.columns:
            try:
                rows[name] = table.column(column, key.unit, units.get(name))
            except ValueError as error:
                raise ValueError(f"{error} (columns: {name})") from None
    return rows


def usable(table: str, keys: Mapping[str, Key], rows: dict[str, Array]) -> dict[str, Array]:
    """The rows whose values all lie where they can; a warning counts the others."""
    bad = {name: ~((v >= keys[name].low) & (v <= keys[name].high)) for name, v in rows.items()}
    good = ~np.any(list(bad.values()), axis=0)
    counts = {name: int(wrong.sum()) for name, wrong in bad.items() if wrong.any()}
    found = ", ".join(f"{count} in {name}" for name, count in counts.items())
    if not good.any():
        raise ValueError(f"{table}: no row can be used; missing or out of range: {found}")
    if counts:
        dropped = f"{np.sum(~good)} of {len(good)} rows dropped"
        warnings.warn(f"{table}: {dropped}, missing or out of range: {found}", stacklevel=2)
    return {name: values[good] for name, values in rows.items()}
