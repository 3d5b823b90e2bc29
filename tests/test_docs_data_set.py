"""docs/how-do-i-read-a-data-set.md: its examples run on a data set just written, and agree."""

import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from lensmill.simulation.shards import read_manifest, read_scenes, read_shard, shard_path
from lensmill.simulation.simulate import simulate
from lensmill.training.build import build_grids, build_simulator
from lensmill.training.recipe import parse_recipe

PAGE = Path(__file__).parents[1] / "docs/how-do-i-read-a-data-set.md"
RECIPE = """
[simulation]
shape = [[32, 35], [34, 38]]
pixel_scale = [0.19, 0.25]
"""
SAVE = """
import sys
assert "lensmill" not in sys.modules
np.savez("read", **{name: globals()[name] for name in %r})
"""
NAMES = ("noisy", "sky_sigma", "theta_E", "is_lens", "magnitude")


def _examples():
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


def _run(source, folder):
    command = [sys.executable, "-c", source]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reader")
    (folder / "my.toml").write_text(RECIPE)
    recipe = parse_recipe(RECIPE).simulation
    simulate(
        build_simulator(recipe),
        build_grids(recipe),
        folder / "DATA",
        seed=recipe.seed,
        count=40,
        shard=18,
        recipe=recipe.model_dump(mode="json"),
    )
    return folder


def test_h5py_and_numpy_are_enough(folder):
    source = _examples()[0]
    modules = {name.split(".")[0] for name in re.findall(r"^(?:import|from) (\S+)", source, re.M)}
    assert modules == {"json", "pathlib", "h5py", "numpy"}
    _run(source + SAVE % (NAMES,), folder)
    found = np.load(folder / "read.npz")
    manifest = read_manifest(folder / "DATA")
    batch = read_shard(folder / "DATA", manifest, 2)
    scene, _ = read_scenes(folder / "DATA", manifest, 2)
    for name in ("noisy", "sky_sigma", "theta_E"):
        assert np.array_equal(found[name], batch[name])
        assert found[name].dtype == np.float32
    assert np.array_equal(found["is_lens"], scene.is_lens)
    assert found["is_lens"].dtype == bool
    assert np.array_equal(found["magnitude"], scene.foreground.magnitude)


def test_lensmill_and_torch(folder, monkeypatch):
    monkeypatch.chdir(folder)
    names = {}
    exec(_examples()[1].replace("1000", "2"), names)
    for batch in (names["batch"], names["again"]):
        assert len(batch["noisy"]) == 16
    assert torch.equal(names["again"]["theta_E"], read_shard(*_first(folder))["theta_E"][:16])


def _first(folder):
    return folder / "DATA", read_manifest(folder / "DATA"), 0


def test_every_name_in_a_shard_is_on_the_page(folder):
    text = PAGE.read_text()
    manifest = read_manifest(folder / "DATA")
    with h5py.File(shard_path(folder / "DATA", 0)) as file:
        names = [*file, *file.attrs, *vars(manifest)]
        assert {str(file[name].dtype) for name in manifest.images} == {"float16"}
    assert [name for name in names if f"`{name}`" not in text and f"`{name}/…`" not in text] == []
    assert manifest.format in text
