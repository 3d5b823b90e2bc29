"""Manifest: a part is done when its line is there and its file is what the line says."""

import json

import pyarrow.parquet as pq
import pytest

from lensmill.provenance import file_digest
from lensmill.survey import part
from lensmill.survey.manifest import ASIDE, MANIFEST, add_line, alone, part_path, resumed
from lensmill.survey.part import write_part
from lensmill.survey.run import run

SAME = dict.fromkeys(range(4), "as then")


def _finished(out, count):
    """`count` parts and their lines."""
    for number in range(count):
        path = part_path(out, number)
        write_part([{"id": str(number)}], path)
        add_line(out, {"part": number, "digest": file_digest(path), "files": "as then"})


def test_only_what_is_whole_is_resumed(tmp_path):
    _finished(tmp_path, 4)
    part_path(tmp_path, 1).unlink()
    part_path(tmp_path, 2).write_bytes(b"PAR1")
    with (tmp_path / MANIFEST).open("a") as file:
        file.write('{"part": 3, "dig')
    assert list(resumed(tmp_path, SAME)) == [0, 3]
    lines = (tmp_path / MANIFEST).read_text().splitlines()
    assert [json.loads(line)["part"] for line in lines] == [0, 3]


def test_what_was_left_aside_goes(tmp_path):
    _finished(tmp_path, 1)
    (tmp_path / "parts" / f"{ASIDE}x-part-00000.parquet").write_bytes(b"half")
    assert pq.read_table(tmp_path / "parts").num_rows == 1  # the parts are one data set
    resumed(tmp_path, SAME)
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["part-00000.parquet"]


def test_a_full_disk_leaves_nothing_and_says_so(stamps, weights, tmp_path, monkeypatch):
    def fill(table, path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(part.pq, "write_table", fill)
        with pytest.raises(ValueError, match=r"cannot write .*No space.*the same command goes on"):
            run(stamps, tmp_path / "out", weights=weights)
    assert list((tmp_path / "out/parts").iterdir()) == []
    assert run(stamps, tmp_path / "out", weights=weights).objects == 5


def test_the_same_part_is_the_same_file(tmp_path):
    for name in ("a", "b"):
        write_part([{"id": "x", "p_lens": 0.25, "psf_fwhm": [0.8]}], tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_parts_of_files_that_have_changed_or_gone_go(tmp_path):
    _finished(tmp_path, 4)
    assert list(resumed(tmp_path, {0: "as then", 1: "other", 2: "as then"})) == [0, 2]
    assert len(list((tmp_path / "parts").iterdir())) == 2


def test_a_folder_is_one_runs_alone(tmp_path):
    another = alone(tmp_path / "out")
    with alone(tmp_path / "out"), pytest.raises(ValueError, match="another run is at work there"):
        another.__enter__()
    with alone(tmp_path / "out"):
        pass
