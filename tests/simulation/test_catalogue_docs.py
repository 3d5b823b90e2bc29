"""docs/how-do-i-use-my-catalogue.md: every recipe in it runs, and its tables say what is true."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from astropy.table import Table

from lensmill.simulation.population.catalogue import KEYS
from lensmill.simulation.population.lights import LENS, SOURCE
from lensmill.training.build import build_simulator
from lensmill.training.recipe import parse_recipe

PAGE = Path(__file__).parents[2] / "docs" / "how-do-i-use-my-catalogue.md"
TEXT = PAGE.read_text(encoding="utf-8")
RECIPES = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
NAMED = set(re.findall(r"`\"?(\w+)\"?`", TEXT))


def _lenses(rows=20):
    rng = np.random.default_rng(5)
    columns = {name: rng.uniform(0.4, 1.0, rows) for name in KEYS}
    for name in columns:
        columns[name] += 20 if name[:2] in ("g_", "r_", "i_") else name == "z_source"
    return columns


def _cosmodc2(rows=4000):
    rng = np.random.default_rng(6)
    magnitudes = {f"mag_{band}_sed": rng.uniform(19, 23, rows) for band in "gri"}
    shares = {f"bt_{band}": rng.uniform(0, 1, rows) for band in "gri"}
    major = {f"size_{part}_true": rng.uniform(0.2, 1.0, rows) for part in ("bulge", "disk")}
    minor = {name.replace("size", "size_minor"): 0.6 * size for name, size in major.items()}
    return {"redshift": rng.uniform(0.2, 3, rows), **magnitudes, **shares, **major, **minor}


@pytest.fixture
def tables(tmp_path, monkeypatch):
    """The files that the page speaks of, in the current folder."""
    import pyarrow
    import pyarrow.parquet

    monkeypatch.chdir(tmp_path)
    Table(_lenses()).write("lenses.fits")
    others = {"theta_E": "Rein", "q_lens": "ell_m", "position_angle_lens": "ell_m_PA"}
    others["i_lens"] = "imag"
    columns = _lenses()
    columns["theta_E"] = 1000 * columns["theta_E"]
    Table({others.get(name, name): value for name, value in columns.items()}).write("systems.csv")
    pyarrow.parquet.write_table(pyarrow.table(_cosmodc2()), "cosmodc2.parquet")


@pytest.mark.parametrize("text", RECIPES)
def test_every_recipe_of_the_page_runs(tables, text):
    simulator = build_simulator(parse_recipe(text).simulation)
    scene = simulator.population.draw(1, torch.arange(30))
    expected = _lenses()["theta_E"]
    drawn = scene.mass.theta_E[scene.is_lens].numpy()
    assert 5 < len(drawn) < 25
    assert np.abs(drawn[:, None] - expected).min(1).max() < 1e-5


def test_the_page_has_recipes_and_names_every_column_and_light():
    assert len(RECIPES) == 3
    assert set(KEYS) <= NAMED
    assert set(LENS) | set(SOURCE) <= NAMED
