"""What is in a data set: percentiles of its own numbers, and pictures of its own systems."""

import errno
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lensmill.evaluation.dataset import PERCENTILES, SCALE, describe
from lensmill.simulation.shards import read_manifest, read_scenes, read_shard
from lensmill.simulation.simulate import simulate
from lensmill.training.build import build_grids, build_simulator
from lensmill.training.recipe import parse_recipe

RECIPE = """
[simulation]
population = { name = "Priors", empty_fraction = 0.5 }
shape = [[32, 35], [32, 35]]
psf_fwhm = [0.6, 0.9]
"""


@pytest.fixture(scope="module", params=[("noisy",), ()], ids=["images", "scenes alone"])
def described(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    recipe = parse_recipe(RECIPE).simulation
    simulate(
        build_simulator(recipe),
        build_grids(recipe),
        folder,
        seed=4,
        count=23,
        shard=12,
        images=request.param,
        recipe=recipe.model_dump(mode="json"),
    )
    return folder, describe(folder)


def _joined(folder, read):
    manifest = read_manifest(folder)
    return torch.cat([read(folder, manifest, number) for number in range(manifest.shards)]).numpy()


def test_percentiles_are_of_every_system(described):
    folder, found = described
    is_lens = _joined(folder, lambda *where: read_scenes(*where)[0].is_lens)
    theta_E = _joined(folder, lambda *where: read_scenes(*where)[0].mass.theta_E)
    fwhm = _joined(folder, lambda *where: read_scenes(*where)[1].psf_fwhm)
    assert found["lenses"]["count"] + found["non_lenses"]["count"] == 23
    expected = np.percentile(theta_E[is_lens], PERCENTILES)
    assert found["lenses"]["theta_E"]["values"] == pytest.approx(expected, rel=1e-3)
    expected = np.percentile(fwhm[~is_lens, 1], PERCENTILES)
    assert found["non_lenses"]["psf_fwhm_r"]["values"] == pytest.approx(expected, rel=1e-3)


def test_what_is_not_there_is_not_counted(described):
    """Half of the non-lenses have no source, and no S/N is known without images."""
    folder, found = described
    others = found["non_lenses"]
    assert 0 < others["source_magnitude_i"]["count"] < others["count"]
    assert ("source_snr" in others) == bool(read_shard(folder, read_manifest(folder), 0))
    values = [value for each in (others, found["lenses"]) for value in _numbers(each)]
    assert all(map(math.isfinite, values))


def _numbers(part):
    return [value for each in part.values() if isinstance(each, dict) for value in each["values"]]


def test_magnitudes_are_of_all_components_together(described):
    folder, found = described
    magnitude = _joined(folder, lambda *where: read_scenes(*where)[0].foreground.magnitude)
    is_lens = _joined(folder, lambda *where: read_scenes(*where)[0].is_lens)
    total = -2.5 * np.log10((10 ** (-0.4 * magnitude[is_lens].astype(float))).sum(1))
    for band, expected in zip("gri", total.min(0), strict=True):
        values = found["lenses"][f"foreground_magnitude_{band}"]["values"]
        assert values[0] == pytest.approx(expected, rel=1e-3)


def test_what_lies_beside_the_data(described):
    folder, found = described
    text = (folder / "statistics.json").read_text()
    assert json.loads(text) == json.loads(json.dumps(found))
    assert len(text) < 10_000
    preview = Image.open(folder / "preview.png")
    assert preview.size[0] > 8 * 32 * SCALE
    assert np.asarray(preview).std() > 10
    assert np.asarray(Image.open(folder / "distributions.png")).std() > 10


def test_a_full_disk_is_said(described, monkeypatch):
    def no_room(path, text):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", no_room)
    with pytest.raises(ValueError, match=r"data in .* are whole, but not described: .*No space"):
        describe(described[0])


def test_no_data_set(tmp_path):
    with pytest.raises(ValueError, match="holds no data set"):
        describe(tmp_path)
