"""Watch: whole files alone, each once, whatever comes between."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from stamp_files import galaxy, many, write

from lensmill.survey import arrivals
from lensmill.survey import watch as module
from lensmill.survey.arrivals import Arrivals, listed
from lensmill.survey.candidates import finished_run
from lensmill.survey.run import Options, run
from lensmill.survey.stamps import Reading, find_objects
from lensmill.survey.watch import watch

QUICK = {"interval": 0.05, "idle": 0.2}


def rows(out: Path) -> dict[str, dict]:
    table = pq.read_table(out / "catalogue.parquet").to_pylist()
    assert len({row["id"] for row in table}) == len(table)
    return {row["id"]: row for row in table}


def same(one: dict[str, dict], other: dict[str, dict]) -> None:
    """In what does not hang on the batch (samples of a posterior do)."""
    assert one.keys() == other.keys()
    for name, row in one.items():
        for key in ("source", "flags", "reason", "weights"):
            assert row[key] == other[name][key]
        for key in ("p_lens", "theta_E", "theta_E_84", "source_snr", "ra"):
            assert row[key] == pytest.approx(other[name][key], rel=1e-3)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "arriving").mkdir()
    return tmp_path / "arriving"


def arrive(stamps, folder, *numbers):
    for number in numbers:
        shutil.copy(stamps / f"demo_{number:03d}.fits", folder)


def test_what_arrives_is_a_part_each_time_and_a_run_in_the_end(stamps, folder, weights, tmp_path):
    arrive(stamps, folder, 0, 1)
    heard = []

    def tell(line):
        heard.append(line)
        if len(heard) == 1:
            assert len(list((tmp_path / "out/parts").iterdir())) == 1
            arrive(stamps, folder, 2, 3, 4)

    summary = watch(folder, tmp_path / "out", weights=weights, tell=tell, **QUICK)
    assert [line.split(",")[0] for line in heard] == ["2 objects", "3 objects"]
    assert (summary.objects, summary.failed) == (5, 0)
    assert len(list((tmp_path / "out/parts").glob("part-*.parquet"))) == 2
    assert "demo_004" in (tmp_path / "out/report.html").read_text()
    run(stamps, tmp_path / "run", weights=weights)
    same(rows(tmp_path / "out"), rows(tmp_path / "run"))
    assert finished_run(tmp_path / "out").bands == ("g", "r", "i")


def test_a_file_that_grows_waits(stamps, folder):
    content = (stamps / "demo_000.fits").read_bytes()
    path, arrivals = folder / "demo_000.fits", Arrivals(folder, [])
    path.write_bytes(content[:4000])
    before = listed(folder, Reading())
    path.write_bytes(content)
    now = listed(folder, Reading())
    assert arrivals.new(now, before) == {}
    assert list(arrivals.new(listed(folder, Reading()), now)) == list(now)


def test_it_goes_on_where_it_stopped(stamps, folder, weights, tmp_path):
    arrive(stamps, folder, 0, 1)
    watch(folder, tmp_path / "out", weights=weights, **QUICK)
    arrive(stamps, folder, 2)
    heard = []
    summary = watch(folder, tmp_path / "out", weights=weights, tell=heard.append, **QUICK)
    assert [line.split(",")[0] for line in heard] == ["1 objects"]
    assert summary.objects == 3


def test_a_part_without_its_line_is_made_again(stamps, folder, weights, tmp_path):
    """Killed between the two, or within the line."""
    arrive(stamps, folder, 0, 1, 2)
    watch(folder, tmp_path / "out", weights=weights, **QUICK)
    lines = tmp_path / "out/watched.jsonl"
    lines.write_text(lines.read_text()[:-30])
    summary = watch(folder, tmp_path / "out", weights=weights, **QUICK)
    assert summary.objects == 3
    assert len(rows(tmp_path / "out")) == 3
    assert lines.read_text().count("\n") == 1


def test_what_is_changed_is_read_again_and_counts_once(stamps, folder, weights, tmp_path):
    arrive(stamps, folder, 0, 1)
    (folder / "demo_001.fits").write_bytes((stamps / "demo_001.fits").read_bytes()[:5000])
    summary = watch(folder, tmp_path / "out", weights=weights, **QUICK)
    assert (summary.objects, summary.failed) == (2, 1)
    arrive(stamps, folder, 1)
    summary = watch(folder, tmp_path / "out", weights=weights, **QUICK)
    assert (summary.objects, summary.failed) == (2, 0)
    assert rows(tmp_path / "out")["demo_001"]["reason"] is None


def test_bands_that_come_one_by_one_are_one_object(folder, weights, tmp_path):
    """Those that come later may be the first by name; another layout of that name is another."""
    write(folder / "x_r.fits", galaxy("r"))
    write(folder / "sub/r.fits", galaxy("r"))
    summary = watch(folder, tmp_path / "out", weights=weights, **QUICK)
    assert (summary.objects, summary.failed) == (2, 2)
    for band in "gi":
        write(folder / f"x_{band}.fits", galaxy(band))
        write(folder / f"sub/{band}.fits", galaxy(band))
    np.savez(folder / "x.npz", image=many(2, "gri"), pixel_scale=0.2)
    write(folder / "sub.fits", *(galaxy(band) for band in "gri"), names="gri")
    watch(folder, tmp_path / "out", weights=weights, **QUICK)
    table = pq.read_table(tmp_path / "out/catalogue.parquet").to_pylist()
    sources = ["sub.fits", "sub/g.fits", "x.npz", "x.npz", "x_g.fits"]
    assert sorted(row["source"] for row in table) == sources
    assert all(row["reason"] is None for row in table)
    again = watch(folder, tmp_path / "out", weights=weights, **QUICK)
    assert again.objects == 5
    assert len(list((tmp_path / "out/parts").iterdir())) == 2


def test_the_first_objects_get_pictures_however_they_come(stamps, folder, weights, tmp_path):
    """One by one, and two after a pause."""
    arrive(stamps, folder, 0)
    numbers = iter([1, 2])

    def tell(line):
        arrive(stamps, folder, *filter(None, [next(numbers, None)]))

    options = {"weights": weights, "options": Options(pictures=4), **QUICK}
    watch(folder, tmp_path / "out", tell=tell, **options)
    assert len(list((tmp_path / "out/pictures").iterdir())) == 3
    arrive(stamps, folder, 3, 4)
    watch(folder, tmp_path / "out", **options)
    assert len(list((tmp_path / "out/pictures").iterdir())) == 4


def test_ctrl_c_ends_it_with_a_catalogue(stamps, folder, weights, tmp_path):
    arrive(stamps, folder, 0, 1)
    heard = []

    def tell(line):
        heard.append(line)
        if len(heard) == 1:
            raise KeyboardInterrupt

    summary = watch(folder, tmp_path / "out", weights=weights, interval=0.05, tell=tell)
    assert heard[-1].startswith("stopped")
    assert summary.objects == 2
    assert len(rows(tmp_path / "out")) == 2


def test_an_empty_folder_is_waited_for_and_none_is_an_error(folder, weights, tmp_path):
    assert watch(folder, tmp_path / "out", weights=weights, **QUICK).objects == 0
    with pytest.raises(ValueError, match="no such folder"):
        watch(folder / "nowhere", tmp_path / "other", weights=weights, **QUICK)
    assert watch(folder, tmp_path / "other", weights=weights, **QUICK).objects == 0


def test_many_at_once_come_in_parts(stamps, folder, weights, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST", 2)
    arrive(stamps, folder, 0, 1, 2, 3, 4)
    summary = watch(folder, tmp_path / "out", weights=weights, **QUICK)
    assert summary.objects == 5
    assert len(list((tmp_path / "out/parts").iterdir())) == 3


def test_another_run_is_not_written_into(stamps, folder, weights, tmp_path):
    run(stamps, tmp_path / "run", weights=weights)
    with pytest.raises(ValueError, match="holds another run"):
        watch(folder, tmp_path / "run", weights=weights, **QUICK)
    with pytest.raises(ValueError, match="holds no watch"):
        watch(folder, stamps, weights=weights, **QUICK)


def test_a_file_that_goes_while_it_is_listed_is_no_arrival(stamps, folder, monkeypatch):
    arrive(stamps, folder, 0)

    def going(path, reading):
        entries = find_objects(path, reading)
        (folder / "demo_000.fits").unlink()
        return entries

    monkeypatch.setattr(arrivals, "find_objects", going)
    assert listed(folder, Reading()) == {}


def test_without_waiting_it_takes_what_is_there(stamps, folder, weights, tmp_path):
    arrive(stamps, folder, 0, 1)
    assert watch(folder, tmp_path / "out", weights=weights, interval=0.05, idle=0).objects == 2
