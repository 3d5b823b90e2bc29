"""Calibrate: wrong by a known factor, put right; written into the weights, nothing else changed."""

import json
from importlib import resources

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from lensmill.evaluation.calibrate import calibrate
from lensmill.evaluation.calibration import coverage, fit_spread, fit_tilt
from lensmill.evaluation.evaluate import evaluate
from lensmill.evaluation.modules import STAGES
from lensmill.stages.familiar import PARTS, Familiar
from lensmill.stages.posterior import Mixture, from_raw
from lensmill.survey.chain import load_chain
from lensmill.training.build import build_stage
from lensmill.training.checkpoint import load_stage, save_stage
from lensmill.training.recipe import SimulationRecipe, parse_recipe

COUNT = 20
LENSES = 3000


@pytest.fixture(scope="module")
def recipe():
    text = resources.files("lensmill.recipes").joinpath("smoke.toml").read_text(encoding="utf-8")
    return parse_recipe(text)


@pytest.fixture
def weights(recipe, tmp_path):
    torch.manual_seed(0)
    for name in STAGES:
        stage = recipe.stages[name]
        built = build_stage(stage)
        with torch.no_grad():
            for parameter in built.parameters():
                parameter.add_(0.02 * torch.randn_like(parameter))
        save_stage(tmp_path / "weights" / f"{name}.safetensors", built, stage)
    return tmp_path / "weights"


def _mixture(seed):
    raw = from_raw(torch.randn(LENSES, 20, generator=torch.Generator().manual_seed(seed)), 2)
    return Mixture(raw.log_weight, 0.2 * raw.mean, raw.scale_tril)


def test_the_spread_is_found():
    """Truths are drawn from posteriors that are 1.5, 0.7 and 1 times as wide as claimed."""
    claimed, factors = _mixture(1), torch.tensor([1.5, 0.7, 1.0])
    truth = claimed.widened(factors).sample(1, torch.Generator().manual_seed(2))[:, 0]
    spread = fit_spread([claimed], truth)
    torch.testing.assert_close(spread, factors, rtol=0.06, atol=0)
    pit = claimed.widened(spread).cdf(truth).numpy()
    assert [coverage(column, 0.68) for column in pit.T] == pytest.approx([0.68] * 3, abs=0.002)


def test_the_tilt_is_found():
    """Of two parameters, the surer an object's claim is, the more it is too sure."""
    seed = torch.Generator().manual_seed(4)
    claimed, tilt = _mixture(1), torch.tensor([-0.3, 0.2, 0.0])
    sizes = torch.empty(LENSES, 1).uniform_(-2, 2, generator=seed).exp()
    claimed = claimed.widened(sizes)
    truth = claimed.stretched(torch.ones(3), tilt).sample(1, seed)[:, 0]
    torch.testing.assert_close(fit_tilt([claimed], truth), tilt, rtol=0, atol=0.05)
    assert fit_tilt([claimed.rows(torch.arange(150))], truth[:150]).tolist() == [0, 0, 0]


def test_sigma_is_that_of_draws():
    mixture = _mixture(1).rows(torch.arange(4))
    drawn = mixture.sample(40000, torch.Generator().manual_seed(5)).std(1)
    torch.testing.assert_close(mixture.sigma(), drawn, rtol=0.03, atol=0)


def test_members_are_stretched_each_by_itself():
    members = [_mixture(1), _mixture(2)]
    truth = Mixture.mixed(members).sample(1, torch.Generator().manual_seed(3))[:, 0]
    torch.testing.assert_close(fit_spread(members, truth), torch.ones(3), rtol=0.08, atol=0)


def test_mixed_and_taken_apart():
    members = [_mixture(1), _mixture(2)]
    for one, other in zip(Mixture.mixed(members).members(2), members, strict=True):
        torch.testing.assert_close(vars(one), vars(other))


@pytest.mark.parametrize("average", [False, True])
def test_it_is_written_into_the_weights_and_nothing_else_changes(recipe, weights, average):
    before = {name: load_file(weights / f"{name}.safetensors") for name in STAGES}
    found = calibrate(weights, recipe, count=COUNT, batch=7, average=average)
    for name, tensors in before.items():
        after = load_file(weights / f"{name}.safetensors")
        changed = {k for k in after if not torch.equal(after[k], tensors[k])}
        assert changed == {"classify": {"temperature"}, "regress": {"spread"}}.get(name, set())
    stage = load_stage(weights / "regress.safetensors")
    torch.testing.assert_close(stage.spread, torch.tensor(list(found["spread"].values())))
    card = json.loads((weights / "regress.json").read_text())["calibrated"]
    assert (card["spread"], card["tilt"]) == (found["spread"], found["tilt"])
    assert (card["count"], card["average"]) == (COUNT, average)
    assert "temperature" in json.loads((weights / "classify.json").read_text())["calibrated"]


@pytest.mark.parametrize("lens_fraction", [0.0, 1.0])
def test_lenses_alone_or_none_cannot_calibrate(recipe, weights, lens_fraction):
    simulation = recipe.simulation.model_dump()
    simulation["population"] = {"name": "Priors", "lens_fraction": lens_fraction}
    one_sided = recipe.model_copy(update={"simulation": SimulationRecipe(**simulation)})
    with pytest.raises(ValueError, match="all lenses or all none"):
        calibrate(weights, one_sided, count=4, batch=4)


def test_again_is_the_same(recipe, weights):
    first = calibrate(weights, recipe, count=COUNT, batch=7)
    assert calibrate(weights, recipe, count=COUNT, batch=7) == first
    assert first["spread"]["e1"] == first["spread"]["e2"] != first["spread"]["ln_theta_E"]


def test_cards_keep_what_they_said(recipe, weights):
    (weights / "regress.json").write_text('{"stage": "regress", "shipped": {"digest": "old"}}')
    calibrate(weights, recipe, count=COUNT, batch=7)
    card = json.loads((weights / "regress.json").read_text())
    assert card["stage"] == "regress"
    assert card["shipped"]["digest"] != "old"


def test_evaluations_and_catalogues_know_what_is_unlike(recipe, weights, tmp_path):
    plain = evaluate(weights, recipe, tmp_path / "before", count=6, batch=4, baseline=0)
    assert "ood_median" not in plain
    assert "familiar" not in plain["provenance"]["weights"]
    assert "familiar" not in load_chain(weights).digests
    calibrate(weights, recipe, count=COUNT, batch=7)
    summary = evaluate(weights, recipe, tmp_path / "after", count=6, batch=4, baseline=0)
    assert 0 <= summary["ood_flagged"]["value"] <= 1
    assert "familiar" in summary["provenance"]["weights"]
    table = pq.read_table(tmp_path / "after" / "evaluation.parquet").to_pydict()
    for name in ("ood_chained", *(f"ood_{part}_chained" for part in PARTS)):
        assert ((np.array(table[name]) >= 0) & (np.array(table[name]) < 1)).all()
    chain = load_chain(weights)
    assert "familiar" in chain.digests
    assert any(isinstance(stage, Familiar) for stage in chain.pipeline.members)


def test_an_averaged_evaluation(recipe, weights, tmp_path):
    calibrate(weights, recipe, count=COUNT, batch=7)
    summary = evaluate(weights, recipe, tmp_path, count=6, batch=4, baseline=0, average=True)
    assert summary["provenance"]["settings"]["average"] is True
    assert np.isfinite(summary["mae_chained"]["value"])


def test_what_is_usual_to_other_weights_is_refused(recipe, weights):
    calibrate(weights, recipe, count=COUNT, batch=7)
    save_stage(
        weights / "classify.safetensors",
        build_stage(recipe.stages["classify"]),
        recipe.stages["classify"],
    )
    with pytest.raises(ValueError, match=r"familiar\.safetensors is of another classifier"):
        load_chain(weights)


def test_shipping_changes_nothing(recipe, weights):
    """Half precision, as shipped: still the classifier that the file is of."""
    calibrate(weights, recipe, count=COUNT, batch=7)
    path = weights / "classify.safetensors"
    save_stage(path, load_stage(path), recipe.stages["classify"], half=True)
    assert "familiar" in load_chain(weights).digests


def test_a_file_of_something_else_is_named(recipe, weights):
    (weights / "familiar.safetensors").write_bytes((weights / "denoise.safetensors").read_bytes())
    with pytest.raises(ValueError, match=r"familiar\.safetensors says not what is usual"):
        load_chain(weights)


def test_heads_without_calibration_are_named(recipe, weights):
    stage = recipe.stages["denoise"]
    save_stage(weights / "regress.safetensors", build_stage(stage), stage)
    with pytest.raises(ValueError, match="Denoise have no calibration"):
        calibrate(weights, recipe, count=COUNT)
