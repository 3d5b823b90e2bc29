"""Catalogue: one row per object, in the units and names of the field, in the format of a suffix."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lensmill.survey.challenge import is_submission, write_submission


@dataclass(frozen=True)
class Column:
    """A column: its type, unit (astropy's), UCD and meaning."""

    name: str
    type: pa.DataType
    unit: str
    ucd: str
    meaning: str


COLUMNS = (
    Column("id", pa.string(), "", "meta.id;meta.main", "object identifier"),
    Column("source", pa.string(), "", "meta.id;meta.file", "file it was read from"),
    Column("ra", pa.float64(), "deg", "pos.eq.ra;meta.main", "right ascension of the stamp"),
    Column("dec", pa.float64(), "deg", "pos.eq.dec;meta.main", "declination of the stamp"),
    Column("p_lens", pa.float32(), "", "stat.probability", "probability of a strong lens"),
    Column("ood", pa.float32(), "", "stat", "share of the training's systems that are more usual"),
    Column("theta_E", pa.float32(), "arcsec", "phys.angSize", "Einstein radius, median"),
    Column("theta_E_16", pa.float32(), "arcsec", "phys.angSize;stat.min", "Einstein radius, 16 %"),
    Column("theta_E_84", pa.float32(), "arcsec", "phys.angSize;stat.max", "Einstein radius, 84 %"),
    Column("e1", pa.float32(), "", "", "(1-q)/(1+q) cos 2 phi, phi from +x, mean"),
    Column("e1_error", pa.float32(), "", "stat.stdev", "standard deviation of e1"),
    Column("e2", pa.float32(), "", "", "(1-q)/(1+q) sin 2 phi, phi from +x, mean"),
    Column("e2_error", pa.float32(), "", "stat.stdev", "standard deviation of e2"),
    Column("q", pa.float32(), "", "phys.size.axisRatio", "axis ratio b/a of the mass, median"),
    Column("q_16", pa.float32(), "", "phys.size.axisRatio;stat.min", "axis ratio, 16 %"),
    Column("q_84", pa.float32(), "", "phys.size.axisRatio;stat.max", "axis ratio, 84 %"),
    Column(
        "position_angle_deg", pa.float32(), "deg", "pos.posAng", "major axis, from +y (COOLEST)"
    ),
    Column("position_angle_error_deg", pa.float32(), "deg", "stat.error", "half of the 68 % range"),
    Column("source_snr", pa.float32(), "", "stat.snr", "S/N of the deblended source, best band"),
    Column("pixel_scale", pa.float32(), "arcsec", "phys.angSize;instr.pixel", "side of a pixel"),
    Column("psf_fwhm", pa.list_(pa.float32()), "arcsec", "instr.obsty.seeing", "FWHM, per band"),
    Column("sky_sigma", pa.list_(pa.float32()), "", "stat.stdev", "sky noise per band, image unit"),
    Column("background", pa.list_(pa.float32()), "", "", "subtracted per band, image unit"),
    Column("flags", pa.string(), "", "meta.code.qual", "what to know, separated by ;"),
    Column("reason", pa.string(), "", "meta.note", "why the object was not processed"),
    Column("picture", pa.string(), "", "meta.ref;meta.file", "its picture in the run's folder"),
    Column("weights", pa.string(), "", "meta.version", "digest of the weights"),
)
SCHEMA = pa.schema(
    [
        pa.field(c.name, c.type, metadata={"unit": c.unit, "ucd": c.ucd, "description": c.meaning})
        for c in COLUMNS
    ]
)
ASTROPY_FORMATS = {
    ".ecsv": "ascii.ecsv",
    ".csv": "ascii.csv",
    ".vot": "votable",
    ".xml": "votable",
    ".fits": "fits",
}


def as_table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Rows as a table of `COLUMNS`; what a row lacks is null."""
    complete = [{column.name: row.get(column.name) for column in COLUMNS} for row in rows]
    return pa.Table.from_pylist(complete, schema=SCHEMA)


def check_suffix(path: Path) -> None:
    """ValueError where the suffix names no format we write."""
    if path.suffix not in (".parquet", *ASTROPY_FORMATS):
        choices = ", ".join((".parquet", *ASTROPY_FORMATS))
        raise ValueError(f"cannot write a catalogue as {path.name!r}; suffixes: {choices}")


def write_catalogue(table: pa.Table, path: Path) -> None:
    """Write aside, then rename; the suffix chooses Parquet, ECSV, CSV, VOTable or FITS.

    `submission….csv` is one for the LSST lens challenge.
    """
    check_suffix(path)
    aside = path.with_name(f".part-{path.name}")
    if path.suffix == ".parquet":
        pq.write_table(table, aside)
    elif is_submission(path):
        write_submission(table, aside)
    else:
        ascii_only = path.suffix == ".fits"
        catalogue = _astropy_table(table, ascii_only)
        catalogue.meta.update(_fits_ucds() if ascii_only else {})
        catalogue.write(aside, format=ASTROPY_FORMATS[path.suffix], overwrite=True)
    aside.replace(path)


def _astropy_table(table: pa.Table, ascii_only: bool) -> Any:
    """An astropy table with units and descriptions; nulls are masked, lists joined by spaces."""
    import numpy as np
    from astropy.table import MaskedColumn, Table

    result = Table()
    for column in COLUMNS:
        values = table[column.name].to_pylist()
        masked = [value is None for value in values]
        if pa.types.is_floating(column.type):
            data = np.array(
                [np.nan if v is None else v for v in values], column.type.to_pandas_dtype()
            )
        else:
            data = np.array([_text(value, ascii_only) for value in values], dtype=str)
        unit = column.unit or None
        meta = {"ucd": column.ucd} if column.ucd else {}
        described = MaskedColumn(
            data, mask=masked, unit=unit, description=column.meaning, meta=meta
        )
        result[column.name] = described
    return result


def _fits_ucds() -> dict[str, str]:
    """FITS has no keyword of its own for a UCD; TUCDn is the one in use."""
    return {f"TUCD{n}": column.ucd for n, column in enumerate(COLUMNS, 1) if column.ucd}


def _text(value: Any, ascii_only: bool) -> str:
    """A value as text; FITS takes only ASCII, other characters are written as escapes."""
    text = " ".join(f"{item:.6g}" for item in value) if isinstance(value, list) else value or ""
    return text.encode("ascii", "backslashreplace").decode() if ascii_only else text
