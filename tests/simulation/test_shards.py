"""Shards: what is read is what was written, to float16, and nothing else is read."""

import json
from itertools import pairwise

import h5py
import pytest
import torch

from lensmill.simulation.shards import (
    FIRST_INDEX,
    IMAGES,
    Manifest,
    read_manifest,
    read_shard,
    shard_path,
    write_manifest,
    write_shard,
)

MANIFEST = Manifest("abc", seed=3, split="train", count=11, shard=4, bands=("g", "r", "i"))


def _batch(scale=1.0):
    """Four scenes whose pixels span ten decades, in units of a noise of 7 (g), 70, 700."""
    torch.manual_seed(2)
    sigma = torch.tensor([7.0, 70.0, 700.0]).repeat(4, 1)
    size = 10 ** (torch.rand(4, 3, 33, 38) * 9 - 5) * scale
    image = size * torch.randn(4, 3, 33, 38).sign() * sigma[..., None, None]
    conditions = {"sky_sigma": sigma, "pixel_scale": torch.rand(4), "theta_E": torch.rand(4) / 3}
    return {**dict.fromkeys(IMAGES, image), **conditions}


def _in_sigmas(batch, name="noisy"):
    return batch[name].double() / batch["sky_sigma"].double()[..., None, None]


@pytest.fixture
def batch():
    return _batch()


@pytest.fixture
def folder(tmp_path, batch):
    write_manifest(tmp_path, MANIFEST)
    write_shard(tmp_path, MANIFEST, 1, batch)
    return tmp_path


def test_manifest_round_trip(folder):
    assert read_manifest(folder) == MANIFEST


def test_manifest_keeps_where_it_came_from(tmp_path):
    write_manifest(tmp_path, MANIFEST, commit="1a2b")
    assert json.loads((tmp_path / "manifest.json").read_text())["provenance"] == {"commit": "1a2b"}
    assert read_manifest(tmp_path) == MANIFEST


def test_rows_of_each_shard():
    assert MANIFEST.shards == 3
    assert [MANIFEST.rows(number) for number in range(3)] == [4, 4, 3]


def test_splits_are_disjoint():
    starts = sorted(FIRST_INDEX.values())
    assert set(FIRST_INDEX) == {"train", "validation", "test"}
    assert starts[0] == 0
    assert min(b - a for a, b in pairwise(starts)) >= 2**40


def test_float16_is_as_exact_as_it_says(folder, batch):
    """Within 0.05 % or 3e-8 of the noise; within a twentieth of the noise up to S/N 100."""
    found, expected = _in_sigmas(read_shard(folder, MANIFEST, 1)), _in_sigmas(batch)
    error = (found - expected).abs()
    assert (error <= (5e-4 * expected.abs()).clamp(min=3e-8)).all()
    assert error[expected.abs() <= 100].max() < 0.05
    assert expected.abs().max() > 5000


def test_brighter_pixels_are_cut(folder):
    write_shard(folder, MANIFEST, 0, _batch(scale=100.0))
    assert _in_sigmas(read_shard(folder, MANIFEST, 0)).abs().max().item() == pytest.approx(65504)


def test_everything_else_is_exact(folder, batch):
    found = read_shard(folder, MANIFEST, 1)
    assert found.keys() == batch.keys()
    assert all(value.dtype == torch.float32 for value in found.values())
    for name in batch.keys() - set(IMAGES):
        assert torch.equal(found[name], batch[name])


def test_rows_of_a_shard(folder):
    whole, part = read_shard(folder, MANIFEST, 1), read_shard(folder, MANIFEST, 1, slice(1, 3))
    assert all(torch.equal(part[name], value[1:3]) for name, value in whole.items())


def test_nothing_is_left_aside(folder):
    assert {path.name for path in folder.iterdir()} == {"manifest.json", "shard-00001.h5"}


def _missing(path):
    path.unlink()


def _empty(path):
    path.write_bytes(b"")


def _truncated(path):
    path.write_bytes(path.read_bytes()[:-2000])


def _garbage(path):
    path.write_bytes(b"garbage" * 999)


def _foreign(path):
    with h5py.File(path, "a") as file:
        file.attrs["digest"] = "another"


def _without_digest(path):
    with h5py.File(path, "a") as file:
        del file.attrs["digest"]


def _without_images(path):
    with h5py.File(path, "a") as file:
        del file["clean"]


@pytest.mark.parametrize(
    "spoil",
    [_missing, _empty, _truncated, _garbage, _foreign, _without_digest, _without_images],
)
def test_spoilt_shard_is_refused_by_name(folder, spoil):
    spoil(shard_path(folder, 1))
    with pytest.raises(ValueError, match=r"shard-00001\.h5"):
        read_shard(folder, MANIFEST, 1)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", "{}", '{"format": "another-1"}', '{"format": "lensmill-shards-1"}'],
)
def test_spoilt_manifest_is_refused_by_name(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ValueError, match=r"manifest\.json is no manifest that this version reads"):
        read_manifest(tmp_path)


def test_no_data_set(tmp_path):
    with pytest.raises(ValueError, match=r"holds no data set: no manifest\.json"):
        read_manifest(tmp_path)
