"""The paper's own networks: paper.toml's stages, narrow, trained briefly, scored, reported."""

from importlib import resources

import pytest
import torch
from table1 import KEYS, result

from lensmill.evaluation.evaluate import evaluate
from lensmill.evaluation.files import Evaluation
from lensmill.evaluation.report import report, table_one_of
from lensmill.evaluation.table_one import ROWS
from lensmill.training.build import build_stage
from lensmill.training.recipe import Part, Recipe, parse_recipe
from lensmill.training.train import train

NARROW = {"EDSR": {"width": 6, "blocks": 1}, "ResNet50": {"width": 2}}
FEW = {"examples": 12, "batch": 6, "steps": 4}


def _shipped(name):
    text = resources.files("lensmill.recipes").joinpath(name).read_text(encoding="utf-8")
    return parse_recipe(text, name)


def _narrow(stage):
    name = stage.network.name
    training = stage.training.model_copy(update=FEW)
    network = Part.model_validate({"name": name, **NARROW[name]})
    return stage.model_copy(update={"network": network, "training": training})


@pytest.fixture(scope="module")
def recipe():
    """The paper's stages on the smallest recipe's sky, whose systems are drawn in no time."""
    stages = {name: _narrow(stage) for name, stage in _shipped("paper.toml").stages.items()}
    sky = _shipped("smoke.toml").simulation.model_copy(update={"shape": ((34, 39), (34, 39))})
    return Recipe(simulation=sky, stages=stages)


@pytest.fixture(scope="module")
def folder(recipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("paper")
    for name in recipe.stages:
        train(recipe, name, folder, device="cpu")
    evaluate(folder, recipe, folder, count=10, batch=5, baseline=0)
    return folder


def test_every_row_of_the_papers_table_is_answered(folder):
    report(folder)
    assert len(table_one_of(folder).splitlines()) == 1 + len(ROWS) + 1
    summary = Evaluation.read(folder).summary
    assert [row.text for row in ROWS if summary[row.figure]["value"] is None] == []


def test_the_benchmark_has_the_rows_that_there_are(folder):
    found = result(Evaluation.read(folder), "test")
    of_posteriors = ("coverage", "pit_distance", "tarp_distance")
    lost = {key for key in KEYS if key.startswith((*of_posteriors, "counter", "source_flux"))}
    assert found.keys() & KEYS.keys() == KEYS.keys() - lost
    assert found["denoised_display_psnr"]["n"] == 10
    assert found["weights"].keys() >= {"denoise", "regress_noisy"}


def test_each_module_is_given_one_picture(folder):
    given = Evaluation.read(folder).summary["given"]
    assert given == {
        "chained": ["noisy_display"],
        "deblend_from_truth": ["clean_display"],
        "classify_from_truth": ["source_display"],
        "regress_from_truth": ["source_display"],
        "classify_noisy": ["noisy_display"],
        "regress_noisy": ["noisy_display"],
    }


def test_figure_two_shows_what_was_predicted(folder):
    examples = Evaluation.read(folder).examples
    assert examples["denoised"].shape == examples["noisy"].shape
    assert (examples["denoised"] != examples["noisy"]).any()


def test_there_are_no_figures_of_what_is_not_predicted(folder):
    summary = Evaluation.read(folder).summary
    assert not [name for name in summary if "coverage" in name or "counter" in name]
    assert "psnr_denoised_db_median" not in summary
    assert summary["histograms"] == {}


def test_networks_have_the_papers_size():
    with torch.device("meta"):
        stages = {n: build_stage(s) for n, s in _shipped("paper.toml").stages.items()}
    counts = {name: sum(p.numel() for p in each.parameters()) for name, each in stages.items()}
    assert counts["denoise"] == counts["deblend"] == 19_486_723
    assert counts["classify"] == 25_557_032 - 999 * 2049
    assert counts["regress"] == counts["regress_noisy"] == counts["classify"] + 2 * 2049
    assert len(stages) == 6


def test_schedules_are_the_papers():
    stages = _shipped("paper.toml").stages
    for name in ("classify", "regress"):
        training, direct = stages[name].training, stages[f"{name}_noisy"].training
        assert training == direct
        epoch = -(-training.examples // training.batch)
        assert training.halvings * 2 == training.steps / epoch == {"c": 15, "r": 30}[name[0]]
    assert stages["denoise"].training == stages["deblend"].training
