"""Epochs: every example once a pass, in patches; a resumed training goes on as it would have."""

import pytest
import torch
from safetensors.torch import load_file

from lensmill.training.epochs import Epochs, feed
from lensmill.training.pool import Pool
from lensmill.training.recipe import TrainingRecipe
from lensmill.training.schedule import learning_rate
from lensmill.training.train import train

SIZES = (4, 3, 0, 4)
"""Of the prepared batches: stages select."""


def _prepared(number):
    """Examples 10 · number + row, whose images count their pixels."""
    value = 10.0 * number + torch.arange(SIZES[number])
    image = torch.arange(7 * 9.0).reshape(1, 1, 7, 9) + 100 * value[:, None, None, None]
    return {"noisy": image, "sky_sigma": value[:, None]}, {"clean": image + 0.5, "e1": value}


ALL = sorted(10.0 * number + row for number, size in enumerate(SIZES) for row in range(size))


def _pass(epochs, number):
    return [epochs(step)[1].get("e1", torch.empty(0)) for step in range(4 * number, 4 * number + 4)]


def test_the_first_pass_is_as_prepared():
    found = _pass(Epochs(_prepared, 4, 0, seed=1), 0)
    assert [len(each) for each in found] == list(SIZES)
    assert torch.cat(found).tolist() == ALL


def test_every_later_pass_has_every_example_once_in_an_order_of_its_own():
    epochs = Epochs(_prepared, 4, 0, seed=1)
    passes = [torch.cat(_pass(epochs, number)).tolist() for number in (1, 2)]
    assert [sorted(each) for each in passes] == [ALL, ALL]
    assert passes[0] != passes[1] != ALL
    assert [len(each) for each in _pass(epochs, 3)] == [3, 3, 3, 2]
    other = torch.cat(_pass(Epochs(_prepared, 4, 0, seed=2), 1)).tolist()
    assert other != passes[0]


def test_a_step_does_not_depend_on_those_before_it():
    used = Epochs(_prepared, 4, 3, seed=1)
    for step in range(11):
        expected = used(step)
    for batch, again in zip(expected, Epochs(_prepared, 4, 3, seed=1)(10), strict=True):
        assert all(torch.equal(batch[name], again[name]) for name in batch)


def test_patches_of_input_and_truth_are_of_one_place():
    epochs, corners = Epochs(_prepared, 4, 3, seed=1), set()
    for step in range(120):
        batch, truth = epochs(step)
        if not batch:
            continue
        assert batch["noisy"].shape[1:] == (1, 3, 3)
        assert torch.equal(batch["noisy"] + 0.5, truth["clean"])
        pixel = (batch["noisy"][:, 0, 0, 0] - 100 * truth["e1"]).int()
        corners |= {(int(each) // 9, int(each) % 9) for each in pixel}
        assert torch.equal(batch["sky_sigma"][:, 0], truth["e1"])
    assert corners == {(y, x) for y in range(5) for x in range(7)}


def test_a_patch_larger_than_the_stamp_is_the_stamp():
    batch, _ = Epochs(_prepared, 4, 32, seed=1)(5)
    assert batch["noisy"].shape[-2:] == (7, 9)


def test_kept_examples_of_many_shapes_need_patches():
    def prepare(number):
        image = torch.zeros(2, 3, 20 + number, 21)
        return {"noisy": image}, {"clean": image}

    assert Epochs(prepare, 3, 20, seed=1)(4)[0]["noisy"].shape == (2, 3, 20, 20)
    with pytest.raises(ValueError, match=r"'noisy' of kept examples .* give a smaller patch"):
        [Epochs(prepare, 3, 0, seed=1)(step) for step in (3, 4, 5)]


def test_the_recipe_decides_what_feeds():
    assert isinstance(feed(_prepared, TrainingRecipe(pool=3), 1), Pool)
    epochs = feed(_prepared, TrainingRecipe(examples=33, batch=16, patch=8), 1)
    assert (epochs.batches, epochs.patch) == (3, 8)


@pytest.mark.parametrize(
    ("keys", "message"), [({"pool": 2, "examples": 9}, "pool and exam"), ({"patch": 8}, "patch is")]
)
def test_keys_that_do_not_fit_are_told(keys, message):
    with pytest.raises(ValueError, match=message):
        TrainingRecipe(**keys)


def test_the_rate_is_halved_in_steps():
    """The paper: every two of fifteen epochs."""
    recipe = TrainingRecipe(learning_rate=1e-4, halvings=7.5, warmup=0.0)
    rates = [learning_rate((epoch + 0.5) / 15, recipe) for epoch in range(15)]
    assert rates == [1e-4 * 0.5 ** (epoch // 2) for epoch in range(15)]


def test_resumed_equals_uninterrupted(tiny, tmp_path):
    recipe = tiny(steps=7, examples=10, patch=16, halvings=2.0, warmup=0.0)

    def press(share, line):
        if "step 5 " in line:
            raise KeyboardInterrupt

    whole = train(recipe, "denoise", tmp_path / "whole", device="cpu")
    with pytest.raises(KeyboardInterrupt):
        train(recipe, "denoise", tmp_path / "parts", device="cpu", report=press)
    parts = train(recipe, "denoise", tmp_path / "parts", device="cpu")
    one, other = load_file(whole), load_file(parts)
    assert all(torch.equal(one[name], other[name]) for name in one)
