"""Simulate: the same data set however often it was interrupted, and never a mixture of two."""

from dataclasses import replace

import pytest
import torch

from lensmill.grid import Grid
from lensmill.physics.surveys import preset
from lensmill.simulation.grids import Grids
from lensmill.simulation.observing import Observing
from lensmill.simulation.population.priors import Priors
from lensmill.simulation.shards import FIRST_INDEX, read_manifest, read_shard, shard_path
from lensmill.simulation.simulate import simulate
from lensmill.simulation.simulator import Simulator

GRIDS = Grids((32, 35), (34, 38), (0.19, 0.25))
OBSERVING = Observing(preset("lsst_10year"), psf_fwhm=(0.6, 0.9), depth=(0.1, 1.0))
SIMULATOR = Simulator(Priors(companions=0.4), OBSERVING, Grid((34, 38), 0.2))
SIZE = {"seed": 5, "count": 10, "shard": 4}


def _shards(folder):
    return [shard_path(folder, number) for number in range(3)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    simulate(SIMULATOR, GRIDS, folder, **SIZE)
    return folder


def test_every_scene_is_the_simulators(whole):
    """Shard k holds the scenes from k · shard on, on the grid of its first."""
    manifest = read_manifest(whole)
    assert (manifest.count, manifest.shard, manifest.bands) == (10, 4, ("g", "r", "i"))
    for number, rows in enumerate([4, 4, 2]):
        stored = read_shard(whole, manifest, number)
        grid = GRIDS.draw(5, 4 * number)
        expected = SIMULATOR.on(grid)(5, torch.arange(4 * number, 4 * number + rows))
        assert stored.keys() == expected.keys()
        assert stored["noisy"].shape == (rows, 3, *grid.shape)
        assert torch.equal(stored["theta_E"], expected["theta_E"])
        largest = 65504 * expected["sky_sigma"][..., None, None]  # where pixels saturate
        clean = expected["clean"].minimum(largest)
        error = (stored["clean"] - clean).abs() / clean.abs().amax()
        assert error.max() < 5e-4


def _killed(share, line):
    raise KeyboardInterrupt


def _content(folder):
    return {path.name: path.read_bytes() for path in folder.glob("shard-*")}


@pytest.mark.parametrize("change", ["processes", "threads"])
def test_neither_processes_nor_threads_change_a_byte(whole, tmp_path, change):
    before = torch.get_num_threads()
    torch.set_num_threads(3 if change == "threads" else before)
    try:
        processes = 2 if change == "processes" else 1
        simulate(SIMULATOR, GRIDS, tmp_path, **SIZE, processes=processes)
    finally:
        torch.set_num_threads(before)
    assert _content(tmp_path) == _content(whole)
    assert len(_content(whole)) == 6


def test_the_count_changes_no_full_shard(whole, tmp_path):
    simulate(SIMULATOR, GRIDS, tmp_path, **{**SIZE, "count": 8})
    assert _content(tmp_path).items() < _content(whole).items()


@pytest.mark.parametrize("spoilt", [b"", b"no HDF5", "half"])
def test_a_spoilt_shard_is_said_and_made_again(whole, tmp_path, caplog, spoilt):
    simulate(SIMULATOR, GRIDS, tmp_path, **SIZE)
    bad, good = shard_path(tmp_path, 1), shard_path(tmp_path, 2)
    kept = good.stat().st_mtime_ns
    bad.write_bytes(bad.read_bytes()[:9000] if spoilt == "half" else spoilt)
    simulate(SIMULATOR, GRIDS, tmp_path, **SIZE)
    assert "made again" in caplog.text
    assert "shard-00001.h5 is damaged" in caplog.text
    assert "shard-00002" not in caplog.text
    assert good.stat().st_mtime_ns == kept
    assert _content(tmp_path) == _content(whole)


def test_without_its_manifest_a_data_set_is_kept(whole, tmp_path):
    """As read_manifest advises where it is damaged."""
    simulate(SIMULATOR, GRIDS, tmp_path, **SIZE)
    before = [path.stat().st_mtime_ns for path in _shards(tmp_path)]
    (tmp_path / "manifest.json").unlink()
    simulate(SIMULATOR, GRIDS, tmp_path, **SIZE)
    assert [path.stat().st_mtime_ns for path in _shards(tmp_path)] == before
    assert read_manifest(tmp_path) == read_manifest(whole)


class Anonymous(Priors):
    """A population that does not say what it is."""

    __repr__ = object.__repr__


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": ("noisy", "residual"), "recipe": {}}, "'residual'; choices: noisy, clean"),
        ({"images": ()}, "pass recipe="),
        ({"compression": "zip"}, "no compression 'zip'; choices: gzip"),
        ({"processes": 2, "device": "cuda"}, "2 processes are for the CPU"),
        ({"device": "gpu"}, "no device 'gpu' here"),
        ({"device": "cuda:99"}, "no device 'cuda:99' here"),
        ({"simulator": replace(SIMULATOR, population=Anonymous())}, "needs a repr"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(tmp_path, change, message):
    arguments = {"simulator": SIMULATOR, "grids": GRIDS, "out": tmp_path / "data", **SIZE, **change}
    with pytest.raises(ValueError, match=message):
        simulate(**arguments)
    assert not (tmp_path / "data").exists()


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(ValueError, match=r"cannot write .*manifest\.json"):
        simulate(SIMULATOR, GRIDS, tmp_path / "data", **SIZE)


@pytest.mark.slow
def test_killed_at_random(tmp_path):
    """Three of the kills of benchmarks/kill_simulate.py, at half its size."""
    import kill_simulate

    count = kill_simulate.COUNT // 2
    kill_simulate.finish(tmp_path / "whole", count)
    expected = kill_simulate.content(tmp_path / "whole")
    for number, how in enumerate(["SIGKILL", "SIGKILL of a worker", "Ctrl-C"]):
        folder = tmp_path / str(number)
        kill_simulate.killed(folder, how, 0.5 * number, count=count)
        kill_simulate.finish(folder, count)
        assert kill_simulate.content(folder) == expected


@pytest.mark.parametrize("kills", [1, 2])
def test_killed_between_shards_then_rerun(whole, tmp_path, kills):
    for _ in range(kills):
        with pytest.raises(KeyboardInterrupt):
            simulate(SIMULATOR, GRIDS, tmp_path, **SIZE, report=_killed)
    simulate(SIMULATOR, GRIDS, tmp_path, **SIZE)
    for mine, expected in zip(_shards(tmp_path), _shards(whole), strict=True):
        assert mine.read_bytes() == expected.read_bytes()


def test_killed_inside_a_shard_then_rerun(whole, tmp_path):
    (tmp_path / "shard-00001.h5.1a2b.part").write_bytes(b"half a shard")
    simulate(SIMULATOR, GRIDS, tmp_path, **SIZE)
    assert _content(tmp_path) == _content(whole)
    assert not list(tmp_path.glob("*.part"))


def test_what_another_is_writing_stays_until_it_is_done(tmp_path):
    writing = tmp_path / "shard-00002.h5.1a2b.part"

    def meanwhile(share, line):
        writing.write_bytes(b"half a shard")
        simulate(SIMULATOR, GRIDS, tmp_path, **SIZE)
        assert writing.exists()

    simulate(SIMULATOR, GRIDS, tmp_path, **SIZE, report=meanwhile)
    assert not writing.exists()


def test_what_is_there_is_kept(whole):
    before = [path.stat().st_mtime_ns for path in _shards(whole)]
    simulate(SIMULATOR, GRIDS, whole, **SIZE)
    assert [path.stat().st_mtime_ns for path in _shards(whole)] == before


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 6},
        {"count": 11},
        {"shard": 5},
        {"split": "test"},
        {"simulator": replace(SIMULATOR, chunk=8)},
        {"compression": "gzip"},
        {"recipe": {"survey": "lsst_10year"}},
        {"simulator": replace(SIMULATOR, population=Priors(companions=0.5))},
        {"simulator": replace(SIMULATOR, observing=replace(OBSERVING, depth=(0.2, 1.0)))},
        {"grids": replace(GRIDS, largest=(34, 39))},
    ],
)
def test_another_data_sets_folder_is_refused(whole, change):
    arguments = {"simulator": SIMULATOR, "grids": GRIDS, "out": whole, **SIZE, **change}
    with pytest.raises(ValueError, match="holds another data set, of another"):
        simulate(**arguments)


def test_a_foreign_shard_is_found_out(whole, tmp_path):
    """The manifest of one data set beside a shard of another."""
    simulate(SIMULATOR, replace(GRIDS, largest=(35, 39)), tmp_path, **SIZE)
    with pytest.raises(ValueError, match=r"shard-00000\.h5 belongs elsewhere"):
        read_shard(tmp_path, read_manifest(whole), 0)


def test_splits_hold_different_scenes(whole, tmp_path):
    manifest = simulate(SIMULATOR, GRIDS, tmp_path, **SIZE, split="validation")
    mine = read_shard(tmp_path, manifest, 0)
    assert not torch.isin(mine["e1"], read_shard(whole, read_manifest(whole), 0)["e1"]).any()
    first = FIRST_INDEX["validation"]
    expected = SIMULATOR.on(GRIDS.draw(5, first))(5, torch.arange(first, first + 4))
    assert torch.equal(mine["e1"], expected["e1"])


def test_progress_is_reported(tmp_path):
    told = []
    simulate(
        SIMULATOR, GRIDS, tmp_path, **SIZE, report=lambda share, line: told.append((share, line))
    )
    assert told == [(0.4, "4 scenes"), (0.8, "8 scenes"), (1.0, "10 scenes")]


def test_grids_cover_their_range():
    grids = [GRIDS.draw(5, key) for key in range(60)]
    assert {grid.shape for grid in grids} == {(y, x) for y in (32, 33, 34) for x in range(35, 39)}
    scales = [grid.pixel_scale for grid in grids]
    assert 0.19 <= min(scales) < 0.2
    assert 0.24 < max(scales) <= 0.25
    assert grids[7] == GRIDS.draw(5, 7) != GRIDS.draw(6, 7)
