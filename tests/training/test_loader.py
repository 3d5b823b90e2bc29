"""Loaders: batch k is a function of k alone, from the simulator or from disk."""

from dataclasses import replace

import pytest
import torch

from lensmill.simulation.simulate import simulate
from lensmill.training.build import build_grids, build_simulator
from lensmill.training.loader import Loader, ShardLoader


@pytest.fixture
def recipe(tiny):
    return tiny().simulation


@pytest.fixture
def loader(recipe):
    return Loader.of(recipe, 4)


def _equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_a_batch_is_a_function_of_its_number(loader, recipe):
    expected = loader(3)
    loader(4)
    assert _equal(loader(3), expected)
    assert _equal(Loader.of(recipe, 4)(3), expected)
    assert loader(4)["noisy"].shape != expected["noisy"].shape or not _equal(loader(4), expected)


def test_batches_draw_shapes_and_scales(loader, recipe):
    grids = [loader.grids.draw(loader.seed, step) for step in range(40)]
    assert {grid.shape[0] for grid in grids} == {32, 33}
    assert {grid.shape[1] for grid in grids} == {34, 35, 36, 37}
    assert all(0.19 <= grid.pixel_scale <= 0.21 for grid in grids)
    batch = loader(0)
    assert batch["noisy"].shape == (4, 3, *grids[0].shape)
    assert batch["pixel_scale"].tolist() == pytest.approx([grids[0].pixel_scale] * 4)


def test_splits_share_nothing(recipe):
    batches = [Loader.of(recipe, 4, split)(0) for split in ("train", "validation", "test")]
    fluxes = torch.cat([batch["clean"].amax((1, 2, 3)) for batch in batches])
    assert len(fluxes.unique()) == 12


@pytest.mark.parametrize("chunk", [2, 3])
def test_the_chunk_changes_nothing(loader, chunk):
    other = replace(loader, simulator=replace(loader.simulator, chunk=chunk))
    expected, found = loader(1), other(1)
    for name, value in expected.items():
        largest = value.abs().max().item()
        torch.testing.assert_close(found[name], value, rtol=0, atol=2e-6 * largest)


@pytest.mark.parametrize(("count", "shard", "batch"), [(10, 4, 2), (11, 4, 3), (7, 3, 5)])
def test_every_scene_on_disk_is_used(recipe, tmp_path, count, shard, batch):
    simulator = build_simulator(recipe)
    manifest = simulate(simulator, build_grids(recipe), tmp_path, seed=7, count=count, shard=shard)
    loader = ShardLoader.of(tmp_path, batch)
    assert loader.bands == manifest.bands == ("g", "r", "i")
    seen, sizes = set(), []
    for step in range(len(loader.places)):
        images = loader(step)["noisy"]
        sizes.append(len(images))
        seen |= {round(image.sum().item()) for image in images}
    assert len(seen) == count
    assert set(sizes) <= {batch, *map(manifest.rows, range(manifest.shards))}
    assert min(sizes) >= min(batch, manifest.rows(manifest.shards - 1))
    assert _equal(loader(0), loader(len(sizes)))


def test_no_data_set(tmp_path):
    with pytest.raises(ValueError, match="holds no data set"):
        ShardLoader.of(tmp_path, 4)
