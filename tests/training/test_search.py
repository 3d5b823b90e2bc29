"""Searching: trials compare, a search goes on, and the best is a recipe that trains."""

import csv
import json
import math
from pathlib import Path

import pytest

from lensmill.stages.denoise import Denoise
from lensmill.training import search as module
from lensmill.training.build import build_stage
from lensmill.training.recipe import Recipe, parse_recipe, shipped_recipe, shipped_recipes
from lensmill.training.recipe_text import recipe_text
from lensmill.training.search import search
from lensmill.training.search_space import SPACE, applied, nearest, suggested, varied


class Last:
    """A trial that takes the last of everything."""

    def suggest_float(self, name, low, high, *, log=False):
        return high

    def suggest_categorical(self, name, choices):
        return choices[-1]


def _rows(folder):
    with (folder / "trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def narrow(monkeypatch):
    """A space of a few channels."""
    for path in ("network.widths", "network.blocks", "training.batch"):
        monkeypatch.delitem(SPACE, path)


@pytest.mark.parametrize("name", ["denoise", "deblend", "classify", "regress"])
def test_a_stage_varies_what_its_parts_take(name):
    own = shipped_recipe("compact").stages[name]
    keys = set(varied(own))
    assert {"training.learning_rate", "network.blocks", "stage.colours"} <= keys
    assert (
        ("network.widths" in keys)
        == ("stage.stretched" in keys)
        == (name in ("denoise", "deblend"))
    )
    new = applied(own, suggested(Last(), own))
    assert new.training.learning_rate == SPACE["training.learning_rate"].high
    assert new.upstream == own.upstream
    build_stage(new)


def test_the_recipe_itself_is_in_the_space():
    own = shipped_recipe("compact").stages["deblend"]
    assert (
        build_stage(applied(own, nearest(own))).state_dict().keys()
        == build_stage(own).state_dict().keys()
    )
    without_decay = applied(own, {"training.weight_decay": 0.0})
    assert applied(own, nearest(without_decay)).training.weight_decay > 0


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_recipe_is_written_as_it_is_read(name):
    recipe = shipped_recipe(name)
    assert parse_recipe(recipe_text(recipe)) == recipe


def test_odd_texts_are_written_as_they_are_read():
    band = dict.fromkeys(("zero_point", "sky_brightness", "psf_fwhm", "exposure_time"), 1.5)
    survey = {"pixel_scale": 0.2, "bands": {"g": {**band, "read_noise": 1e-7}}}
    stage = {"stage": {"name": 'a:B"\\'}, "network": {"name": "é", "x y": [[1, 2.5], []]}}
    recipe = Recipe.model_validate(
        {"simulation": {"survey": survey}, "stages": {"my stage": stage, "b-2": stage}}
    )
    assert parse_recipe(recipe_text(recipe)) == recipe


@pytest.mark.usefixtures("narrow")
def test_two_trials_a_table_and_a_recipe(tiny, tmp_path):
    pytest.importorskip("optuna")
    recipe = tiny(steps=3)
    best = search(recipe, "denoise", tmp_path, trials=2, budget=60, device="cpu")
    first, second = _rows(tmp_path)
    assert (first["trial"], first["state"], first["steps"]) == ("0", "complete", "3")
    assert float(first["training.learning_rate"]) == recipe.stages["denoise"].training.learning_rate
    assert second["training.learning_rate"] != first["training.learning_rate"]
    assert math.isfinite(float(second["validation_loss"]))
    found = parse_recipe(best.read_text())
    assert found.simulation == recipe.simulation
    winner = min((first, second), key=lambda row: float(row["validation_loss"]))
    training = found.stages["denoise"].training
    assert training.learning_rate == pytest.approx(float(winner["training.learning_rate"]))
    assert found.stages["denoise"].stage.keywords["colours"] == json.loads(winner["stage.colours"])
    assert {path.name for path in tmp_path.iterdir()} == {"study.db", "trials.csv", "best.toml"}
    with pytest.raises(ValueError, match="another recipe, stage or budget"):
        search(recipe, "denoise", tmp_path, trials=2, budget=61, device="cpu")


@pytest.mark.usefixtures("narrow")
def test_an_interrupted_trial_goes_on(tiny, tmp_path):
    pytest.importorskip("optuna")
    recipe = tiny(steps=3)

    def report(share, line):
        if "step 2 " in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(recipe, "denoise", tmp_path, trials=1, budget=60, device="cpu", report=report)
    lines: list[str] = []
    search(
        recipe,
        "denoise",
        tmp_path,
        trials=1,
        budget=60,
        device="cpu",
        report=lambda share, line: lines.append(line),
    )
    assert [line.split(" loss")[0] for line in lines] == ["trial 1 of 1: denoise step 3"]
    (row,) = _rows(tmp_path)
    assert (row["state"], row["steps"]) == ("complete", "3")


@pytest.mark.usefixtures("narrow")
def test_the_worse_half_is_cut_off(tiny, tmp_path, monkeypatch):
    """With figures that get worse from trial to trial, and no patience."""
    pytest.importorskip("optuna")
    monkeypatch.setattr(module, "STARTUP", 1)
    figures = iter(range(1000))
    monkeypatch.setattr(
        module.StageTraining, "scored", lambda *_: {"validation_loss": float(next(figures))}
    )
    search(tiny(steps=6), "denoise", tmp_path, trials=2, budget=60, device="cpu")
    first, second = _rows(tmp_path)
    assert (first["state"], second["state"]) == ("complete", "pruned")
    assert int(second["steps"] or 0) < 6


@pytest.mark.usefixtures("narrow")
def test_a_trial_that_diverges_is_the_worst(tiny, tmp_path, monkeypatch):
    pytest.importorskip("optuna")
    loss = Denoise.loss
    monkeypatch.setattr(Denoise, "loss", lambda *args: loss(*args) * float("nan"))
    search(tiny(steps=3), "denoise", tmp_path, trials=1, budget=60, device="cpu")
    (row,) = _rows(tmp_path)
    assert (row["state"], float(row["validation_loss"])) == ("complete", math.inf)
    assert not list(tmp_path.glob("*.state.safetensors"))


def test_without_optuna_the_extra_is_named(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(ValueError, match=r"lensmill\[search\]"):
        search(tiny(steps=2), "denoise", Path(tmp_path), device="cpu")
