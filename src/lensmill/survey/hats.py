"""HATS: a run's catalogue partitioned over the sky, as LSDB reads and cross-matches it."""

from importlib import import_module
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

NAME = "lensmill"


def write_hats(table: pa.Table, out: Path) -> int:
    """Write the rows that have coordinates; their number.

    LSDB drops units and UCDs, and cannot read back the margin it would write. ValueError where no
    row has coordinates, or lsdb is not installed.
    """
    try:
        lsdb, pandas = import_module("lsdb"), import_module("pandas")
    except ImportError:
        raise ValueError("hats needs lsdb: pip install 'lensmill[hats]'") from None
    placed = table.filter(pc.and_(pc.is_valid(table["ra"]), pc.is_valid(table["dec"])))
    if not placed.num_rows:
        raise ValueError("hats: no row has ra and dec; the stamps' files have no WCS")
    catalogue = lsdb.from_dataframe(
        placed.to_pandas(types_mapper=pandas.ArrowDtype),
        ra_column="ra",
        dec_column="dec",
        catalog_name=NAME,
        margin_threshold=None,
        schema=placed.schema,
    )
    catalogue.write_catalog(out, catalog_name=NAME)
    return int(placed.num_rows)
