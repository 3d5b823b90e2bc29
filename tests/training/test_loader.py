"""Loaders: batch k is a function of k alone, from the simulator or from disk."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from lensmill.simulation.shards import read_manifest, write_manifest
from lensmill.simulation.simulate import simulate
from lensmill.stages.symmetry import ELEMENTS, turned
from lensmill.training.build import build_grids, build_simulator
from lensmill.training.loader import Loader, Numbered, ShardLoader, other_settings
from lensmill.training.recipe import Part, SimulationRecipe


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


def test_splits_and_their_parts_share_nothing(recipe):
    loaders = [Loader.of(recipe, 4, split) for split in ("train", "validation", "test")]
    loaders += [replace(loaders[0], part=part) for part in (1, 2)]
    fluxes = torch.cat([loader(0)["clean"].amax((1, 2, 3)) for loader in loaders])
    assert len(fluxes.unique()) == 20


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
    assert _equal(turned(loader(0), 1), loader(len(sizes)))
    assert _equal(loader(0), loader(len(ELEMENTS) * len(sizes)))


def _written(recipe, folder, **options):
    """11 scenes in shards of 5, rendered two at a time."""
    simulator = replace(build_simulator(recipe), chunk=2)
    simulate(
        simulator,
        build_grids(recipe),
        folder,
        seed=7,
        count=11,
        shard=5,
        recipe=recipe.model_dump(mode="json"),
        **options,
    )
    return simulator


@pytest.mark.parametrize("batch", [2, 3])
def test_scenes_alone_give_the_simulators_own_bits(recipe, tmp_path, batch):
    """Whatever the batch, aligned with the chunks or not, and overlapping at a shard's end."""
    simulator = _written(recipe, tmp_path, images=())
    loader, grids = ShardLoader.of(tmp_path, batch), build_grids(recipe)
    for step, (shard, first) in enumerate(loader.places):
        indices = loader.manifest.indices(shard)
        expected = simulator.on(grids.draw(7, int(indices[0])))(7, indices)
        rows = slice(first, first + batch)
        assert _equal(loader(step), {name: value[rows] for name, value in expected.items()})


def _star(folder):
    """PSF images, three for each band, in `folder`."""
    x = torch.arange(-8, 9.0)
    widths = torch.arange(1.4, 2.3, 0.1).view(3, 3)[..., None, None]
    np.save(folder / "psf.npy", torch.exp(-(x**2 + x[:, None] ** 2) / (2 * widths**2)))
    return str(folder / "psf.npy")


@pytest.mark.parametrize("psf", ["moffat", "psf_images", "visits"])
def test_scenes_alone_give_the_same_bits_with_every_option(recipe, tmp_path, psf):
    """Every optional part of a scene and of its conditions is stored and found again."""
    kinds = {
        "moffat": {"moffat": (2.5, 4.5), "psf_ellipticity": 0.05},
        "psf_images": {"psf_fwhm": None, "psf_images": _star(tmp_path)},
        "visits": {"psf_fwhm": None, "visits": True, "depth": (0.01, 0.02)},
    }
    options = {"slope_scatter": 0.1, "shear_scatter": 0.05, "clumps": 1, "source_light": "cosmodc2"}
    shares = {"spiral": 0.3, "merger": 0.3}
    population = Part.model_validate({"name": "Priors", "impostors": shares, **options})
    recipe = SimulationRecipe.model_validate(
        recipe.model_dump() | {"population": population, "bad_pixels": 0.02, **kinds[psf]}
    )
    simulator = _written(recipe, tmp_path / "data", images=())
    loader, grids = ShardLoader.of(tmp_path / "data", 5), build_grids(recipe)
    expected = simulator.on(grids.draw(7, 5))(7, torch.arange(5, 10))
    assert (expected["kind"] >= 3).any()
    assert _equal(loader(1), expected)


def test_images_that_are_not_stored_are_rendered(recipe, tmp_path):
    _written(recipe, tmp_path / "some", images=("noisy",))
    _written(recipe, tmp_path / "none", images=())
    _written(recipe, tmp_path / "all")
    some, none, whole = (ShardLoader.of(tmp_path / name, 4)(1) for name in ("some", "none", "all"))
    assert some.keys() == none.keys() == whole.keys()
    assert torch.equal(some["noisy"], whole["noisy"])
    assert torch.equal(some["clean"], none["clean"])
    sigma = none["sky_sigma"][..., None, None]
    torch.testing.assert_close(whole["clean"] / sigma, none["clean"] / sigma, rtol=1e-3, atol=1e-3)


def test_reading_imports_nothing_that_a_manifest_names(recipe, tmp_path):
    _written(recipe, tmp_path, images=())
    loader = ShardLoader.of(tmp_path, 4)
    foreign = {**loader.manifest.recipe, "population": {"name": "no_such_module:Population"}}
    there = replace(loader, manifest=replace(loader.manifest, recipe=foreign))
    assert there._simulator[0].observing == loader._simulator[0].observing


def test_batches_through_torch(loader):
    """Two worker processes, batch k at place k, the very bits."""
    numbered = Numbered(loader, 3)
    found = list(DataLoader(numbered, batch_size=None, num_workers=2))
    assert len(found) == len(numbered) == 3
    assert all(_equal(batch, loader(step)) for step, batch in enumerate(found))
    assert len(list(numbered)) == 3


def test_a_data_set_and_a_recipe_are_compared(recipe, tmp_path):
    """Its seed is its own affair."""
    _written(recipe, tmp_path)
    assert other_settings(tmp_path, recipe.model_copy(update={"seed": 99})) == []
    other = recipe.model_copy(update={"depth": (0.1, 0.2), "bad_pixels": 0.01})
    assert other_settings(tmp_path, other) == ["depth", "bad_pixels"]
    manifest = read_manifest(tmp_path)
    write_manifest(tmp_path, replace(manifest, split="test"))
    assert other_settings(tmp_path, recipe) == ["split"]
    write_manifest(tmp_path, replace(manifest, recipe=None))
    assert other_settings(tmp_path, other) == []


def test_no_data_set(tmp_path):
    with pytest.raises(ValueError, match="holds no data set"):
        ShardLoader.of(tmp_path, 4)
