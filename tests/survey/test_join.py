"""Join: the rows of all parts, in order, without holding them all."""

import pyarrow as pa
import pyarrow.parquet as pq

from lensmill.survey import join as module
from lensmill.survey.join import join
from lensmill.survey.part import write_part


def test_parts_become_one_catalogue(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ROWS", 4)
    parts = [tmp_path / f"part-{number}.parquet" for number in range(5)]
    for number, part in enumerate(parts):
        write_part([{"id": f"{number}_{row}", "p_lens": 0.5} for row in range(3)], part)
    join(parts, tmp_path / "catalogue.parquet")
    joined = pq.ParquetFile(tmp_path / "catalogue.parquet")
    assert joined.read().equals(pa.concat_tables(pq.read_table(part) for part in parts))
    assert joined.num_row_groups == 5
    assert len(list(tmp_path.iterdir())) == 6
