"""Join: part files to one catalogue, a little at a time."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lensmill.survey.catalogue import SCHEMA, check_suffix, write_catalogue
from lensmill.survey.manifest import ASIDE

ROWS = 2**14
"""Rows of a row group, which are held in memory: with four times as many a run takes 20 MB more."""


def join(parts: Iterable[Path], catalogue: Path) -> None:
    """Write the rows of `parts`, in order, aside, then rename.

    Parquet takes the memory of a row group; the other formats, which astropy writes, that of all.
    """
    check_suffix(catalogue)
    if catalogue.suffix != ".parquet":
        write_catalogue(pa.concat_tables(pq.read_table(path) for path in parts), catalogue)
        return
    aside = catalogue.with_name(f"{ASIDE}{catalogue.name}")
    try:
        with pq.ParquetWriter(aside, SCHEMA) as writer:
            for table in _groups(parts):
                writer.write_table(table, row_group_size=ROWS)
        aside.replace(catalogue)
    finally:
        aside.unlink(missing_ok=True)


def _groups(parts: Iterable[Path]) -> Iterator[pa.Table]:
    """Tables of at least `ROWS` rows, but for the last."""
    held: list[pa.Table] = []
    for path in parts:
        held.append(pq.read_table(path))
        if sum(table.num_rows for table in held) >= ROWS:
            yield pa.concat_tables(held)
            held = []
    if held:
        yield pa.concat_tables(held)
