"""Shards: what is read is what was written, to float16, and nothing else is read."""

import errno
import json
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path

import h5py
import pytest
import torch

from lensmill.simulation.scene import Conditions, Mass, Scene, Sersic, flattened
from lensmill.simulation.shards import (
    FIRST_INDEX,
    IMAGES,
    Manifest,
    check_shard,
    read_manifest,
    read_scenes,
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


def _sersic(components):
    others = (torch.rand(4, components) for _ in fields(Sersic)[1:])
    return Sersic(torch.rand(4, components, 3), *others)


def _drawn():
    """Four scenes with a shear, but without a slope."""
    torch.manual_seed(3)
    mass = Mass(*torch.rand(5, 4), gamma1=torch.rand(4), gamma2=torch.rand(4))
    is_lens = torch.tensor([True, False, False, True])
    scene = Scene(is_lens, mass, _sersic(5), _sersic(2), torch.rand(4), torch.rand(4))
    return scene, Conditions(*torch.rand(3, 4, 3))


def _write(folder, number=1, scale=1.0, manifest=MANIFEST):
    write_shard(folder, manifest, number, *_drawn(), _batch(scale))


def _in_sigmas(batch, name="noisy"):
    return batch[name].double() / batch["sky_sigma"].double()[..., None, None]


@pytest.fixture
def batch():
    return _batch()


@pytest.fixture
def folder(tmp_path, batch):
    write_manifest(tmp_path, MANIFEST)
    _write(tmp_path)
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
    _write(folder, 0, scale=100.0)
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


def test_scenes_are_exact(folder):
    """Every tensor of scenes and conditions, the optional ones that are there among them."""
    for found, expected in zip(read_scenes(folder, MANIFEST, 1), _drawn(), strict=True):
        found, expected = flattened(found), flattened(expected)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert found[name].dtype == value.dtype
            assert torch.equal(found[name], value), name


@pytest.mark.parametrize("images", [("noisy",), ("source", "clean"), ()])
def test_only_the_images_asked_for_are_stored(tmp_path, batch, images):
    manifest = replace(MANIFEST, images=images)
    _write(tmp_path, manifest=manifest)
    others = batch.keys() - set(IMAGES) if images else set()
    assert read_shard(tmp_path, manifest, 1).keys() == others | set(images)
    assert torch.equal(read_scenes(tmp_path, manifest, 1)[0].mass.q, _drawn()[0].mass.q)


def test_compression_loses_nothing(folder, tmp_path):
    manifest = replace(MANIFEST, compression="gzip")
    _write(tmp_path / "packed", manifest=manifest)
    packed = read_shard(tmp_path / "packed", manifest, 1)
    assert all(torch.equal(packed[k], v) for k, v in read_shard(folder, MANIFEST, 1).items())


def test_nothing_is_left_aside(folder):
    names = {"manifest.json", "shard-00001.h5", "shard-00001.sha256"}
    assert {path.name for path in folder.iterdir()} == names


@pytest.mark.parametrize("name", ["manifest.json", "shard-00001.sha256", "shard-00001.h5"])
def test_a_full_disk_is_said_and_spoils_nothing(folder, monkeypatch, name):
    """The disk fills while `name` is written again: half of it lies aside when there is no room."""
    before = {path: path.read_bytes() for path in folder.iterdir()}
    whole = Path.write_bytes

    def write_bytes(path, data):
        if path.name.startswith(name):
            whole(path, bytes(data)[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(path, data)

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    write = (lambda: write_manifest(folder, MANIFEST)) if "json" in name else lambda: _write(folder)
    with pytest.raises(ValueError, match=rf"cannot write .*{name}: No space left.*same command"):
        write()
    after = {path: path.read_bytes() for path in folder.iterdir()}
    assert after == before


def _missing(path):
    path.unlink()


def _empty(path):
    path.write_bytes(b"")


def _truncated(path):
    path.write_bytes(path.read_bytes()[:-2000])


def _garbage(path):
    path.write_bytes(b"garbage" * 999)


def _without_images(path):
    with h5py.File(path, "a") as file:
        del file["clean"]


def _without_checksum(path):
    path.with_suffix(".sha256").unlink()


def _with_another_checksum(path):
    path.with_suffix(".sha256").write_bytes(b"\xff\x00 garbage")


SPOILERS = [
    _missing,
    _empty,
    _truncated,
    _garbage,
    _without_images,
    _without_checksum,
    _with_another_checksum,
]


def _refused(folder, manifest=MANIFEST):
    for read in (check_shard, read_shard, read_scenes):
        with pytest.raises(ValueError, match=r"shard-00001\.h5.*lensmill simulate command"):
            read(folder, manifest, 1)


@pytest.mark.parametrize("spoil", SPOILERS)
def test_spoilt_shard_is_refused_by_name(folder, spoil):
    spoil(shard_path(folder, 1))
    _refused(folder)


def test_every_bit_counts(folder):
    """One bit turned, anywhere: in the pixels, or in what HDF5 writes around them."""
    path = shard_path(folder, 1)
    content = path.read_bytes()
    for place in range(0, len(content), len(content) // 40):
        turned = bytes([content[place] ^ (1 << place % 8)])
        path.write_bytes(content[:place] + turned + content[place + 1 :])
        _refused(folder)
    path.write_bytes(content)
    check_shard(folder, MANIFEST, 1)


@pytest.mark.parametrize(
    "change", [{"digest": "b"}, {"seed": 4}, {"split": "test"}, {"chunk": 8}, {"recipe": {"a": 1}}]
)
def test_a_foreign_shard_is_refused(folder, change):
    """Whole, and with its own checksum, but of another data set."""
    _refused(folder, replace(MANIFEST, **change))


def test_another_shard_under_a_false_name_is_refused(folder):
    _write(folder, 0)
    shard_path(folder, 0).replace(shard_path(folder, 1))
    content = folder / "shard-00000.sha256"
    shard_path(folder, 1).with_suffix(".sha256").write_text(
        content.read_text().replace("shard-00000", "shard-00001")
    )
    _refused(folder)


def test_a_larger_data_set_begins_with_the_same_shards(folder):
    check_shard(folder, replace(MANIFEST, count=12_000), 1)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", "{}", '{"format": "another-1"}', '{"format": "lensmill-shards-2"}'],
)
def test_spoilt_manifest_is_refused_by_name(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ValueError, match=r"manifest\.json is no manifest that this version reads"):
        read_manifest(tmp_path)


def test_no_data_set(tmp_path):
    with pytest.raises(ValueError, match=r"holds no data set: no manifest\.json"):
        read_manifest(tmp_path)
