"""Weights: what is loaded predicts what was saved, and nothing else is loaded."""

import copy
import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from lensmill.training.build import build_stage
from lensmill.training.checkpoint import (
    amend,
    load_stage,
    load_state,
    read_tensors,
    save_stage,
    save_state,
    write_tensors,
)
from lensmill.training.loader import Loader
from lensmill.training.recipe import Part, StageRecipe, shipped_recipe


@pytest.fixture
def recipe(tiny):
    return tiny().stages["denoise"]


@pytest.fixture
def stage(recipe):
    torch.manual_seed(1)
    stage = build_stage(recipe).eval().to(memory_format=torch.channels_last)
    with torch.no_grad():
        for parameter in stage.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return stage


@pytest.fixture
def batch(tiny):
    return Loader.of(tiny().simulation, 4)(0)


@pytest.fixture
def path(tmp_path, stage, recipe):
    save_stage(tmp_path / "new" / "denoise.safetensors", stage, recipe)
    return tmp_path / "new" / "denoise.safetensors"


def test_round_trip(path, stage, batch):
    with torch.no_grad():
        loaded = load_stage(path)
        found, expected = (s.predict(batch)["clean"] for s in (loaded, stage))
    assert not loaded.training
    assert torch.equal(found, expected)
    for name, value in stage.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)


def test_others_may_read_it(path, tmp_path):
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_nothing_else_is_left_behind(path):
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_half_precision_is_close(tmp_path, stage, recipe, batch, path):
    half = tmp_path / "half.safetensors"
    save_stage(half, stage, recipe, half=True)
    tensors = load_file(half)
    assert {value.dtype for value in tensors.values()} == {torch.float16}
    with torch.no_grad():
        found, expected = (s.predict(batch)["clean"] for s in (load_stage(half), stage))
    assert found.dtype == torch.float32
    change = (found - expected).abs().max() / (batch["noisy"] - expected).abs().max()
    assert 0 < change < 5e-3


def test_whole_numbers_stay_whole_in_half_precision(tmp_path, tiny):
    recipe = tiny(vector="ResNet50", keywords="width = 2").stages["classify"]
    stage = build_stage(recipe)
    stage.network.bn1.num_batches_tracked += 100_001
    save_stage(tmp_path / "w.safetensors", stage, recipe, half=True)
    loaded = load_stage(tmp_path / "w.safetensors")
    assert loaded.network.bn1.num_batches_tracked == 100_001


def _garbage(path):
    path.write_bytes(b"\x00garbage" * 99)


def _empty(path):
    path.write_bytes(b"")


def _truncated(path):
    path.write_bytes(path.read_bytes()[:-100])


def _without_metadata(path):
    save_file(load_file(path), path)


def _another_format(path):
    save_file(load_file(path), path, {"format": "another-1"})


def _without_recipe(path):
    save_file(load_file(path), path, {"format": "lensmill-stage-1"})


def _broken_recipe(path):
    save_file(load_file(path), path, {"format": "lensmill-stage-1", "recipe": '{"stage": 3}'})


def _missing_tensor(path):
    tensors = load_file(path)
    tensors.pop("network.head.bias")
    _write(path, tensors, {"name": "UNet", "widths": [4, 6], "blocks": 1})


def _another_shape(path):
    _write(path, load_file(path), {"name": "UNet", "widths": [4, 8], "blocks": 1})


def _foreign_network(path):
    _write(path, load_file(path), {"name": "os:system"})


def _write(path, tensors, network):
    recipe = StageRecipe(stage=Part(name="Denoise"), network=Part(**network))
    save_file(tensors, path, {"format": "lensmill-stage-1", "recipe": recipe.model_dump_json()})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_garbage, "not a safetensors file"),
        (_empty, "not a safetensors file"),
        (_truncated, "not a safetensors file"),
        (_without_metadata, "no lensmill stage"),
        (_another_format, "format 'another-1'"),
        (_without_recipe, "recipe"),
        (_broken_recipe, "stage"),
        (_missing_tensor, "network.head.bias"),
        (_another_shape, "size mismatch"),
        (_foreign_network, "foreign part 'os:system'; pass trust=True"),
    ],
)
def test_spoilt_weights_are_refused_by_name(path, spoil, message):
    spoil(path)
    with pytest.raises(ValueError, match=f"(?s)denoise.safetensors.*{message}"):
        load_stage(path)


def test_missing_weights(tmp_path):
    with pytest.raises(ValueError, match=r"no weights .*nowhere.safetensors"):
        load_stage(tmp_path / "nowhere.safetensors")


def test_own_parts_need_trust(tmp_path, own_parts):
    own_parts("from lensmill.networks.unet import UNet\nclass Own(UNet): pass\n")
    network = Part(name="own_parts:Own", widths=[4], blocks=1)
    recipe = StageRecipe(stage=Part(name="Denoise"), network=network)
    save_stage(tmp_path / "own.safetensors", build_stage(recipe), recipe)
    with pytest.raises(ValueError, match=r"own.safetensors.*pass trust=True"):
        load_stage(tmp_path / "own.safetensors")
    loaded = load_stage(tmp_path / "own.safetensors", trust=True)
    assert type(loaded.network).__name__ == "Own"


def _optimizer(stage):
    return torch.optim.AdamW(stage.parameters(), lr=1e-3)


def _state(stage, batch, folder):
    optimizer = _optimizer(stage)
    stage.loss(stage(batch), batch).mean().backward()
    optimizer.step()
    average = {name: value.clone() + 1 for name, value in stage.state_dict().items()}
    save_state(folder / "s.safetensors", stage, average, optimizer, {"step": 3, "history": [{}]})
    return average, optimizer


def test_state_round_trip(tmp_path, stage, batch, recipe):
    average, optimizer = _state(stage, batch, tmp_path)
    other = build_stage(recipe)
    other_average = {name: value.clone() for name, value in other.state_dict().items()}
    other_optimizer = _optimizer(other)
    progress = load_state(tmp_path / "s.safetensors", other, other_average, other_optimizer)
    assert progress == {"step": 3, "history": [{}]}
    for name, value in stage.state_dict().items():
        assert torch.equal(other.state_dict()[name], value)
        assert torch.equal(other_average[name], average[name])
    for index, state in optimizer.state_dict()["state"].items():
        for key, value in state.items():
            assert torch.equal(other_optimizer.state_dict()["state"][index][key], value)


def test_state_of_another_network_is_refused(tmp_path, stage, batch, tiny):
    _state(stage, batch, tmp_path)
    other = build_stage(tiny().stages["deblend"])
    with pytest.raises(ValueError, match=r"s.safetensors is no state of this training"):
        load_state(tmp_path / "s.safetensors", other, {}, _optimizer(other))


def test_weights_are_no_state(path, stage):
    with pytest.raises(ValueError, match=r"denoise.safetensors is no state of this training"):
        load_state(path, stage, {}, _optimizer(stage))


def test_the_header_tells_the_recipe(path, recipe):
    length = int.from_bytes(path.read_bytes()[:8], "little")
    header = json.loads(path.read_bytes()[8 : 8 + length])["__metadata__"]
    assert StageRecipe.model_validate_json(header["recipe"]) == recipe


def test_weights_from_before_there_was_a_spread(tmp_path):
    recipe = shipped_recipe("smoke").stages["regress"]
    path = tmp_path / "regress.safetensors"
    save_stage(path, build_stage(recipe), recipe)
    tensors, metadata = read_tensors(path)
    write_tensors(path, {k: v for k, v in tensors.items() if k not in {"spread", "tilt"}}, metadata)
    stage = copy.deepcopy(load_stage(path))
    assert (stage.spread.tolist(), stage.tilt.tolist()) == ([1, 1, 1], [0, 0, 0])
    del tensors["network.head.bias"]
    write_tensors(path, tensors, metadata)
    with pytest.raises(ValueError, match=r"network\.head\.bias"):
        load_stage(path)


def test_amended_weights_change_in_that_alone(path):
    before, metadata = read_tensors(path)
    amend(path, more=torch.ones(2))
    after, same = read_tensors(path)
    assert same == metadata
    assert torch.equal(after.pop("more"), torch.ones(2))
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], value) for name, value in before.items())
