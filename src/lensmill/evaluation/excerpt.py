"""Excerpt: what a page shows of a catalogue, however long, read a little at a time."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

ROWS = 2**12
"""Rows that are read at a time: they are filtered and sorted, in copies."""
REASONS = 1000
"""Different reasons that are counted; what is beyond them is counted as `OTHERS`."""
OTHERS = "other reasons"


@dataclass
class Excerpt:
    """The likeliest lenses, the first failures, and counts of all."""

    good: pa.Table  # likeliest first, where there is a p_lens
    failed: pa.Table
    processed: int = 0
    failures: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    p_lens: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))

    def add(self, rows: pa.Table, limit: int) -> None:
        """Count `rows`; keep of them what is among the `limit` first."""
        good, failed = _split(rows)
        self.processed += good.num_rows
        self.failures += failed.num_rows
        self.good = _likeliest(pa.concat_tables([self.good, good]), limit)
        self.failed = pa.concat_tables([self.failed, failed.slice(0, limit - len(self.failed))])
        if failed.num_rows:
            self._count(failed["reason"].to_pylist())
        if "p_lens" in good.column_names:
            self.p_lens = np.concatenate([self.p_lens, good["p_lens"].drop_null().to_numpy()])

    def _count(self, reasons: list[str]) -> None:
        for reason in reasons:
            known = reason in self.reasons or len(self.reasons) < REASONS
            self.reasons[reason if known else OTHERS] += 1


def read_excerpt(path: Path, limit: int) -> Excerpt:
    """The excerpt of a catalogue; ValueError where the file is not Parquet."""
    try:
        with pq.ParquetFile(path) as file:
            nothing = file.schema_arrow.empty_table()
            excerpt = Excerpt(nothing, nothing)
            for batch in file.iter_batches(ROWS):
                excerpt.add(pa.Table.from_batches([batch]), limit)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path} is not Parquet: {error}") from None
    return excerpt


def _split(rows: pa.Table) -> tuple[pa.Table, pa.Table]:
    """What was processed, and what failed."""
    if "reason" not in rows.column_names:
        return rows, rows.slice(0, 0)
    fine = pc.is_null(rows["reason"])
    return rows.filter(fine), rows.filter(pc.invert(fine))


def _likeliest(rows: pa.Table, limit: int) -> pa.Table:
    if "p_lens" in rows.column_names:
        rows = rows.sort_by([("p_lens", "descending")])
    return rows.slice(0, limit)
