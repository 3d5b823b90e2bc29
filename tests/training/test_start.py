"""A training that sets out from weights: the same networks', and no others'."""

import json

import pytest
import torch
from safetensors.torch import load_file

from lensmill.provenance import file_digest
from lensmill.simulation.shards import FIRST_INDEX
from lensmill.training.loader import PART, own_part
from lensmill.training.train import StageTraining, train


def _card(path):
    return json.loads(path.with_suffix(".json").read_text())


def _with_network(recipe, **part):
    stage = recipe.stages["denoise"]
    denoise = stage.model_copy(update={"network": type(stage.network)(**part)})
    return recipe.model_copy(update={"stages": {**recipe.stages, "denoise": denoise}})


def test_a_training_can_set_out_from_weights(tiny, tmp_path):
    weights = train(tiny(steps=3), "denoise", tmp_path / "first", device="cpu")
    still = tiny(steps=1, learning_rate=1e-12)
    path = train(still, "denoise", tmp_path / "second", start=weights.parent, device="cpu")
    for name, value in load_file(weights).items():
        torch.testing.assert_close(load_file(path)[name], value)
    assert _card(path)["started_from"] == file_digest(weights)
    assert "started_from" not in _card(weights)
    assert (_card(weights)["part"], _card(path)["part"]) == (0, own_part(0, file_digest(weights)))


def test_it_learns_from_systems_that_the_weights_have_not_seen(tiny, tmp_path):
    weights = train(tiny(steps=1), "denoise", tmp_path, device="cpu")
    training = StageTraining(tiny(steps=1), "denoise", tmp_path / "second", None, "cpu", None)
    before = training.loader(0)["noisy"]
    training.set_out_from(weights)
    assert not torch.equal(before, training.loader(0)["noisy"])
    assert training.loader.start + PART <= FIRST_INDEX["validation"]
    assert own_part(7, "f" * 16) * PART < FIRST_INDEX["validation"]


def test_a_training_can_set_out_from_ones_own_network(tiny, tmp_path, own_parts):
    own_parts("from lensmill.networks.unet import UNet as Mine\n")
    own = _with_network(tiny(steps=1), name="own_parts:Mine", widths=[4], blocks=1)
    train(own, "denoise", tmp_path, device="cpu")
    path = train(own, "denoise", tmp_path / "second", start=tmp_path, device="cpu")
    assert _card(path)["started_from"] == file_digest(tmp_path / "denoise.safetensors")


@pytest.mark.parametrize("keywords", [{"widths": [6], "blocks": 1}, {"widths": [4], "blocks": 2}])
def test_weights_of_another_network_are_refused_as_a_start(tiny, tmp_path, keywords):
    """Those of a shallower one too, which would leave layers as they were drawn."""
    train(tiny(steps=1), "denoise", tmp_path, device="cpu")
    other = _with_network(tiny(steps=1), name="UNet", **keywords)
    with pytest.raises(ValueError, match=r"denoise.safetensors does not fit the recipe's denoise"):
        train(other, "denoise", tmp_path / "other", start=tmp_path, device="cpu")
