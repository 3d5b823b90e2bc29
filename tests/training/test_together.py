"""Training end to end: every stage moves, resumable, and what is wrong is named."""

import json

import pytest
import torch
from safetensors.torch import load_file

from lensmill.training.checkpoint import amend, load_stage
from lensmill.training.recipe import Recipe, TogetherRecipe
from lensmill.training.together import together
from lensmill.training.train import train

CHAIN = ("denoise", "deblend", "classify")


@pytest.fixture
def trained(tiny, tmp_path):
    """trained(steps=…) -> (recipe, folder with its three stages, trained for two steps)."""

    def make(**settings):
        recipe = tiny(steps=2)
        for name in CHAIN:
            train(recipe, name, tmp_path, device="cpu")
        training = recipe.stages["denoise"].training.model_copy(update=settings)
        chosen = TogetherRecipe(stages=CHAIN, alone=("deblend",), training=training)
        return recipe.model_copy(update={"together": chosen}), tmp_path

    return make


def _weights(folder):
    return {name: load_file(folder / f"{name}.safetensors") for name in CHAIN}


def test_every_stage_moves_and_has_its_card(trained):
    recipe, folder = trained(steps=4, learning_rate=1e-2)
    out = together(recipe, folder, device="cpu")
    before, after = _weights(folder), _weights(out)
    for name in CHAIN:
        assert any(not torch.equal(before[name][k], v) for k, v in after[name].items()), name
        load_stage(out / f"{name}.safetensors")
        card = json.loads((out / f"{name}.json").read_text())
        assert card["stage"] == name
        assert card["steps"] == 4
        assert {"clean_rms_error_sigma", "accuracy"} <= set(card["scores"])
        assert set(card["parents"]) == set(CHAIN)


def test_the_last_stages_loss_reaches_the_first(trained):
    """Not alone, and with nothing to learn of its own, a stage still moves for the later ones."""
    recipe, folder = trained(steps=2, learning_rate=1e-2)
    chain = together(recipe, folder, device="cpu")
    first = _weights(chain)["denoise"]
    only = TogetherRecipe(stages=CHAIN[:1], training=recipe.together.training)
    lone = together(
        recipe.model_copy(update={"together": only}), folder, device="cpu", resume=False
    )
    assert any(
        not torch.equal(v, first[k]) for k, v in load_file(lone / "denoise.safetensors").items()
    )


def test_calibration_is_of_the_weights_before(trained):
    """The chain learns logits as they are, so it begins with a temperature of 1."""
    recipe, folder = trained(steps=1)
    amend(folder / "classify.safetensors", temperature=torch.tensor(2.5))
    assert load_file(together(recipe, folder, device="cpu") / "classify.safetensors")[
        "temperature"
    ].item() == pytest.approx(1.0)


def test_resumed_equals_uninterrupted(trained):
    recipe, folder = trained(steps=4)
    whole = _weights(together(recipe, folder, device="cpu"))
    (folder / "together.state.safetensors").unlink()

    def report(share, line):
        if "step 2 " in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        together(recipe, folder, device="cpu", report=report)
    parts = _weights(together(recipe, folder, device="cpu"))
    assert all(torch.equal(v, parts[name][k]) for name in CHAIN for k, v in whole[name].items())


def test_what_is_wrong_is_named(tiny, tmp_path):
    recipe = tiny()
    with pytest.raises(ValueError, match=r"no table \[together\]"):
        together(recipe, tmp_path, device="cpu")
    with pytest.raises(ValueError, match=r"alone names \['regress'\]"):
        TogetherRecipe(stages=CHAIN, alone=("regress",))
    with pytest.raises(ValueError, match=r"together trains \['regress'\]"):
        Recipe(**{**dict(recipe), "together": TogetherRecipe()})
    chosen = recipe.model_copy(update={"together": TogetherRecipe(stages=CHAIN)})
    with pytest.raises(ValueError, match="train 'denoise' first"):
        together(chosen, tmp_path, device="cpu")
