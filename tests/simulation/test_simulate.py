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


@pytest.mark.parametrize("kills", [1, 2])
def test_killed_between_shards_then_rerun(whole, tmp_path, kills):
    for _ in range(kills):
        with pytest.raises(KeyboardInterrupt):
            simulate(SIMULATOR, GRIDS, tmp_path, **SIZE, report=_killed)
    simulate(SIMULATOR, GRIDS, tmp_path, **SIZE)
    for mine, expected in zip(_shards(tmp_path), _shards(whole), strict=True):
        assert mine.read_bytes() == expected.read_bytes()


def test_killed_inside_a_shard_then_rerun(whole, tmp_path):
    (tmp_path / "shard-00001.part").write_bytes(b"half a shard")
    simulate(SIMULATOR, GRIDS, tmp_path, **SIZE)
    assert [p.read_bytes() for p in _shards(tmp_path)] == [p.read_bytes() for p in _shards(whole)]


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
