"""docs/how-do-i-simulate-my-survey.md: complete, and every block in it runs."""

import re
import shlex
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from lensmill.cli import app
from lensmill.physics.surveys import PRESETS
from lensmill.simulation.population.catalogue import Catalogue
from lensmill.simulation.population.collett import Collett
from lensmill.simulation.population.priors import Priors
from lensmill.training.build import build_simulator
from lensmill.training.recipe import BandRecipe, SimulationRecipe, SurveyRecipe, parse_recipe

DOCS = Path(__file__).parents[1] / "docs"
TEXT = (DOCS / "how-do-i-simulate-my-survey.md").read_text(encoding="utf-8")


def _blocks(kind):
    return re.findall(rf"```{kind}\n(.*?)```", TEXT, re.DOTALL)


def _keys(heading):
    """First columns of the table under a heading."""
    section = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder: mine.toml, and the PSFs that the page speaks of."""
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text(_blocks("toml")[0], encoding="utf-8")
    Path("psfs").mkdir()
    y, x = np.mgrid[-9:10, -10:11]
    for band in "gri":
        np.save(f"psfs/a_{band}.npy", np.exp(-(x**2 + 1.2 * y**2) / 9))


def test_every_key_is_on_the_page_and_no_other():
    assert sorted(_keys("Every key of `[simulation]`")) == sorted(SimulationRecipe.model_fields)
    assert sorted(_keys("A survey of your own")) == sorted(BandRecipe.model_fields)
    for name in (*SurveyRecipe.model_fields, *PRESETS):
        assert f"`{name}`" in TEXT


def test_the_defaults_are_on_the_page():
    """Those that are values; others are told in words."""
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", TEXT.split("## A survey")[0], re.M))
    for name, field in SimulationRecipe.model_fields.items():
        told = rows[name].strip("`")
        if isinstance(field.default, bool | str):
            assert told == str(field.default).lower() or told == f'"{field.default}"'
        elif isinstance(field.default, int | float):
            assert float(told) == field.default


def test_every_option_of_a_population_is_on_a_page():
    pages = "which-lenses-does-it-simulate.md", "how-do-i-use-my-catalogue.md"
    text = "".join((DOCS / page).read_text(encoding="utf-8") for page in pages)
    options = {f.name for kind in (Priors, Collett, Catalogue) for f in fields(kind) if f.init}
    told = {name for name in options if f"`{name}`" in text or f"\n{name} = " in text}
    assert sorted(options - told) == []


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("text", _blocks("toml"))
def test_the_recipes_run(text):
    recipe = parse_recipe(text).simulation
    batch = build_simulator(recipe)(recipe.seed, torch.arange(3))
    assert batch["noisy"].isfinite().all()
    assert (batch["noisy"] != batch["clean"]).any()


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("line", "".join(_blocks("sh")).splitlines())
def test_the_commands_run(line):
    program, *arguments = shlex.split(line)
    assert program == "lensmill"
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert {path.name for path in Path(arguments[1]).iterdir()} >= {
        "preview.png",
        "distributions.png",
        "statistics.json",
    }


@pytest.mark.usefixtures("here")
def test_the_examples_run(capsys):
    first, second = _blocks("python")
    names = {}
    exec(first, names)
    assert names["depth"].shape == (500, 3)
    assert 23 < names["depth"].median() < 27
    assert "tensor" in capsys.readouterr().out
    exec(second, names)
    assert names["noisy"].shape[:2] == (16, 3)
    assert 41 <= names["noisy"].shape[2] <= 61
