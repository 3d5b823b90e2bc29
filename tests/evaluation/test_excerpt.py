"""Excerpt: the same whether read at once or bit by bit, and no longer than asked."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lensmill.evaluation import excerpt as module
from lensmill.evaluation.excerpt import OTHERS, read_excerpt


@pytest.fixture
def catalogue(tmp_path):
    """100 rows, every tenth a failure."""
    p = np.random.default_rng(1).permutation(100) / 100
    failed = np.arange(100) % 10 == 0
    rows = {
        "id": [f"object {number}" for number in range(100)],
        "p_lens": pa.array(p.astype(np.float32), mask=failed),
        "reason": [f"reason {number % 30}" if failed[number] else None for number in range(100)],
    }
    pq.write_table(pa.table(rows), tmp_path / "catalogue.parquet")
    return tmp_path / "catalogue.parquet"


@pytest.mark.parametrize("rows", [7, 1000])
def test_the_likeliest_and_the_first_failures(catalogue, monkeypatch, rows):
    monkeypatch.setattr(module, "ROWS", rows)
    found = read_excerpt(catalogue, 5)
    everything = pq.read_table(catalogue)["p_lens"].drop_null().to_numpy()
    assert found.good["p_lens"].to_pylist() == sorted(everything.tolist())[:-6:-1]
    assert found.failed["id"].to_pylist() == [f"object {number}" for number in range(0, 50, 10)]
    assert (found.processed, found.failures) == (90, 10)
    assert found.reasons == {"reason 0": 4, "reason 10": 3, "reason 20": 3}
    assert sorted(found.p_lens) == sorted(everything)


def test_reasons_beyond_counting_are_counted_together(catalogue, monkeypatch):
    monkeypatch.setattr(module, "REASONS", 2)
    assert read_excerpt(catalogue, 5).reasons[OTHERS] == 3
