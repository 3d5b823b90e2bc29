"""Training: resumable bit for bit, within its budget, on what the stages before it make."""

import json
import signal
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from safetensors.torch import load_file

from lensmill.simulation.shards import read_manifest
from lensmill.simulation.simulate import simulate
from lensmill.stages.denoise import Denoise
from lensmill.training import loop as module
from lensmill.training.build import build_grids, build_simulator, build_stage
from lensmill.training.checkpoint import load_stage
from lensmill.training.loader import Loader
from lensmill.training.precision import fastest_precision
from lensmill.training.recipe import TrainingRecipe
from lensmill.training.schedule import learning_rate
from lensmill.training.train import train

DROPPING = """
import torch
from lensmill.networks.unet import UNet

class Dropping(UNet):
    def __init__(self, c, d):
        super().__init__(c, d, widths=(4,), blocks=1)
        self.norm = torch.nn.BatchNorm2d(c)

    def forward(self, x):
        return super().forward(torch.nn.functional.dropout(self.norm(x), 0.3, self.training))
"""
SPY = """
from lensmill.stages.deblend import Deblend

SEEN = []

class Spy(Deblend):
    def forward(self, batch):
        SEEN.append(batch["clean"])
        return super().forward(batch)
"""


def _interrupted_after(step):
    def report(share, line):
        if f"step {step} " in line:
            raise KeyboardInterrupt

    return report


def _same(a, b):
    a, b = load_file(a), load_file(b)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def _card(path):
    return json.loads(path.with_suffix(".json").read_text())


def _with_network(recipe, **part):
    stage = recipe.stages["denoise"]
    network = type(stage.network)(**part)
    denoise = stage.model_copy(update={"network": network})
    return recipe.model_copy(update={"stages": {**recipe.stages, "denoise": denoise}})


@pytest.mark.parametrize("network", ["UNet", "own_parts:Dropping"])
def test_resumed_equals_uninterrupted(tiny, tmp_path, own_parts, network):
    own_parts(DROPPING)
    keywords = {"widths": [4, 6], "blocks": 1} if network == "UNet" else {}
    recipe = _with_network(tiny(), name=network, **keywords)
    whole = train(recipe, "denoise", tmp_path / "whole", device="cpu")
    for step in (5, 6, 12):
        with pytest.raises(KeyboardInterrupt):
            train(
                recipe,
                "denoise",
                tmp_path / "parts",
                device="cpu",
                report=_interrupted_after(step),
            )
    parts = train(recipe, "denoise", tmp_path / "parts", device="cpu")
    assert _same(whole, parts)
    assert _same(*(p.with_name("denoise.state.safetensors") for p in (whole, parts)))
    assert _card(parts)["steps"] == 12
    assert _card(parts)["examples"] == 48


def test_interrupt_in_the_middle_of_a_step_waits_for_its_end(tiny, tmp_path, monkeypatch):
    whole = train(tiny(steps=4), "denoise", tmp_path / "whole", device="cpu")
    update = module.Loop.update_average

    def pressed(self, step):
        if step == 1:
            signal.raise_signal(signal.SIGINT)
        update(self, step)

    with monkeypatch.context() as patch:
        patch.setattr(module.Loop, "update_average", pressed)
        with pytest.raises(KeyboardInterrupt):
            train(tiny(steps=4), "denoise", tmp_path / "parts", device="cpu")
    assert _same(whole, train(tiny(steps=4), "denoise", tmp_path / "parts", device="cpu"))


def test_resume_can_be_declined(tiny, tmp_path):
    first = train(tiny(steps=2), "denoise", tmp_path, device="cpu")
    before = load_file(first)
    train(tiny(steps=3), "denoise", tmp_path, device="cpu", resume=False)
    assert _card(first)["steps"] == 3
    assert _card(first)["examples"] == 12
    assert not torch.equal(load_file(first)["network.head.bias"], before["network.head.bias"])


def test_state_of_another_network_is_refused(tiny, tmp_path):
    train(tiny(steps=1), "denoise", tmp_path, device="cpu")
    other = _with_network(tiny(steps=1), name="UNet", widths=[6], blocks=1)
    with pytest.raises(ValueError, match=r"denoise.state.safetensors is no state .*resume=False"):
        train(other, "denoise", tmp_path, device="cpu")


def test_budget_ends_the_training(tiny, tmp_path):
    lines = []
    path = train(
        tiny(steps=10_000),
        "denoise",
        tmp_path,
        budget=1e-6,
        device="cpu",
        report=lambda share, line: lines.append((share, line)),
    )
    assert [share for share, line in lines] == [1.0]
    assert _card(path)["steps"] == 1
    again = train(tiny(steps=10_000), "denoise", tmp_path, budget=1e-6, device="cpu")
    assert _card(again)["steps"] == 1


@pytest.mark.parametrize("budget", [0.0, -1.0])
def test_budget_must_be_positive(tiny, tmp_path, budget):
    with pytest.raises(ValueError, match="budget"):
        train(tiny(), "denoise", tmp_path, budget=budget, device="cpu")


def test_progress_is_reported(tiny, tmp_path):
    shares = []
    train(
        tiny(steps=4),
        "denoise",
        tmp_path,
        device="cpu",
        report=lambda share, line: shares.append(share),
    )
    assert shares == [0.25, 0.5, 0.75, 1.0]


def test_the_card_says_how_it_was_made(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SAVE_SECONDS", 0.0)
    recipe = tiny(steps=2)
    card = _card(train(recipe, "denoise", tmp_path, device="cpu"))
    assert card["recipe"] == recipe.model_dump(mode="json")
    assert card["parameters"] == sum(
        p.numel() for p in build_stage(recipe.stages["denoise"]).parameters()
    )
    assert {"lensmill", "commit", "device", "upstream", "recipe_digest"} <= card.keys()
    assert [entry["step"] for entry in card["history"]] == [1, 2]
    assert card["history"][-1]["validation_loss"] == pytest.approx(
        card["scores"]["validation_loss"]
    )
    assert "clean_rms_error_sigma" in card["scores"]


def test_training_from_shards(tiny, tmp_path):
    recipe = tiny(steps=3)
    simulator, grids = build_simulator(recipe.simulation), build_grids(recipe.simulation)
    simulate(simulator, grids, tmp_path / "data", seed=7, count=10, shard=6)
    path = train(recipe, "denoise", tmp_path, device="cpu", shards=tmp_path / "data")
    assert _card(path)["examples"] == 12
    assert _card(path)["data_set"] == read_manifest(tmp_path / "data").identity
    batch = Loader.of(recipe.simulation, 4)(0)
    assert load_stage(path).predict(batch)["clean"].isfinite().all()


def test_bands_must_be_the_datas(tiny, tmp_path):
    recipe = tiny()
    stage = type(recipe.stages["denoise"].stage)(name="Denoise", bands=["r", "i"])
    denoise = recipe.stages["denoise"].model_copy(update={"stage": stage})
    other = recipe.model_copy(update={"stages": {"denoise": denoise}})
    with pytest.raises(ValueError, match=r"Denoise works on \('r', 'i'\), the data on \('g', "):
        train(other, "denoise", tmp_path, device="cpu")


def test_upstream_must_be_trained_first(tiny, tmp_path):
    with pytest.raises(ValueError, match=r"train 'denoise' first: no denoise.safetensors in"):
        train(tiny(), "deblend", tmp_path, device="cpu")


def test_unknown_stage(tiny, tmp_path):
    with pytest.raises(ValueError, match=r"no stage 'denoyse'; it has: denoise, deblend"):
        train(tiny(), "denoyse", tmp_path, device="cpu")


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_a_stage_is_trained_on_what_those_before_it_make(tiny, tmp_path, own_parts, share):
    own_parts(SPY)
    recipe = tiny(steps=1)
    upstream = train(recipe, "denoise", tmp_path, device="cpu")
    before = upstream.read_bytes()
    spy = type(recipe.stages["deblend"].stage)(name="own_parts:Spy", images=["clean", "noisy"])
    changed = {"stage": spy, "upstream_share": share}
    deblend = recipe.stages["deblend"].model_copy(update=changed)
    card = _card(
        train(
            recipe.model_copy(update={"stages": {"deblend": deblend}}),
            "deblend",
            tmp_path,
            device="cpu",
        )
    )
    import own_parts as own

    truth = replace(Loader.of(recipe.simulation, 4), part=1)(0)  # denoise learned from part 0
    predicted = load_stage(upstream).predict(truth)["clean"].detach()
    count = round(4 * share)
    assert torch.equal(own.SEEN[0][:count], predicted[:count])
    assert torch.equal(own.SEEN[0][count:], truth["clean"][count:])
    assert not torch.allclose(predicted, truth["clean"])
    held_out = Loader.of(recipe.simulation, 4, "validation")(0)
    assert torch.equal(own.SEEN[-1], load_stage(upstream).predict(held_out)["clean"].detach())
    assert upstream.read_bytes() == before
    assert set(card["upstream"]) == {"denoise"}


def test_learning_rate_rises_and_falls():
    recipe = TrainingRecipe(learning_rate=2.0, warmup=0.1)
    rates = [learning_rate(share / 1000, recipe) for share in range(1001)]
    assert rates[0] == 0
    assert rates[50] == pytest.approx(1.0)
    assert max(rates) == rates[100] == pytest.approx(2.0)
    assert rates[550] == pytest.approx(2.0 * (0.01 + 0.99 / 2))
    assert rates[1000] == pytest.approx(0.02)
    assert all(a > b for a, b in pairwise(rates[100:]))


def test_no_warmup_starts_at_the_peak():
    assert learning_rate(0.0, TrainingRecipe(learning_rate=2.0, warmup=0)) == pytest.approx(2.0)


def test_the_schedule_is_obeyed(tiny, tmp_path):
    """The first step of a warm-up has a rate of zero: nothing moves."""
    recipe = tiny(steps=1, warmup=0.5)
    torch.manual_seed(recipe.simulation.seed)
    initial = build_stage(recipe.stages["denoise"]).state_dict()
    trained = load_file(train(recipe, "denoise", tmp_path, device="cpu"))
    assert all(torch.equal(trained[name], value) for name, value in initial.items())


def test_weights_are_an_average_over_the_training(tiny, tmp_path):
    """After one step, a tenth of the start and nine tenths of the step's."""
    recipe = tiny(steps=1, warmup=0)
    torch.manual_seed(recipe.simulation.seed)
    initial = build_stage(recipe.stages["denoise"]).state_dict()
    trained = load_file(train(recipe, "denoise", tmp_path, device="cpu"))
    state = load_file(tmp_path / "denoise.state.safetensors")
    for name, value in initial.items():
        expected = 0.1 * value + 0.9 * state[f"stage.{name}"]
        torch.testing.assert_close(trained[name], expected)
        assert torch.equal(state[f"average.{name}"], trained[name])


def test_without_average_the_weights_are_the_last(tiny, tmp_path):
    trained = load_file(train(tiny(steps=2, ema=0.0), "denoise", tmp_path, device="cpu"))
    state = load_file(tmp_path / "denoise.state.safetensors")
    assert all(torch.equal(value, state[f"stage.{name}"]) for name, value in trained.items())


def test_a_stage_in_bf16_still_reads_images_as_they_are(tiny, tmp_path, monkeypatch):
    """Eight bits are not enough for the core of a galaxy: the networks compute in bf16, but what a
    stage reads is as exact in training as in use."""
    read, forward = [], Denoise.forward

    def spied(stage, batch):
        read.append({value.dtype for value in batch.values()})
        return forward(stage, batch)

    monkeypatch.setattr(Denoise, "forward", spied)
    train(tiny(steps=2, precision='"bf16-mixed"'), "denoise", tmp_path, device="cpu")
    assert read == [{torch.float32}] * 3  # two steps, and a held-out batch


def test_precision_is_measured_once():
    assert fastest_precision("cpu") in ("32-true", "bf16-mixed")
    assert fastest_precision("cpu") == fastest_precision("cpu")
    assert fastest_precision("mps") == "32-true"
