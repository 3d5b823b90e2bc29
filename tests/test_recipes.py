"""The recipes in the package: each is drawn from, and each key in it changes what is drawn."""

from importlib import resources
from inspect import signature
from pathlib import Path

import numpy as np
import pytest
import torch

from lensmill.grid import Grid
from lensmill.simulation.population.collett import Collett
from lensmill.simulation.scene import KINDS, flattened
from lensmill.training.build import build_grids, build_simulator, resolve
from lensmill.training.recipe import SimulationRecipe, parse_recipe, read_recipe

FOLDER = resources.files("lensmill.recipes")
SHIPPED = sorted(path.name for path in FOLDER.iterdir() if path.name.endswith(".toml"))
FEW = torch.arange(40)
SMALL = (33, 37)
OTHER = {"survey": "lsst_visit", "seed": 2, "bright_fraction": 0.0, "lens_light": "de_vaucouleurs"}
"""What a key is given in the place of a value that is its default anyway."""


def _simulation(name):
    return parse_recipe(FOLDER.joinpath(name).read_text(encoding="utf-8"), name).simulation


def _population_defaults(recipe):
    parameters = signature(resolve(recipe.population.name, trusted=True)).parameters
    return {name: parameter.default for name, parameter in parameters.items()}


def _without(recipe, key):
    """The recipe less one key of [simulation], or of its population."""
    tables = recipe.model_dump(exclude_unset=True)
    table, defaults = tables, {name: f.default for name, f in type(recipe).model_fields.items()}
    if key.startswith("population."):
        table, defaults = tables["population"], _population_defaults(recipe)
        key = key.removeprefix("population.")
    if table.pop(key) == defaults[key]:
        table[key] = OTHER[key]
    if key == "moffat":
        tables.pop("psf_ellipticity", None)
    return SimulationRecipe.model_validate(tables)


def _drawn(recipe):
    """Everything that a recipe decides, as names and values."""
    simulator = build_simulator(recipe)
    small = simulator.on(Grid(SMALL, simulator.grid.pixel_scale))
    scene, conditions = small.draw(recipe.seed, FEW)
    noisy = small(recipe.seed, FEW[:2])["noisy"] if recipe.bad_pixels else torch.zeros(1)
    grids = build_grids(recipe)
    return {"grids": grids, "noisy": noisy, **flattened(scene), **flattened(conditions, "seen/")}


def _same(one, other):
    if one.keys() != other.keys():
        return False
    return all(
        torch.equal(one[name], other[name])
        if isinstance(one[name], torch.Tensor)
        else one[name] == other[name]
        for name in one
    )


@pytest.mark.parametrize("name", SHIPPED)
def test_a_recipe_makes_images(name):
    recipe = _simulation(name)
    simulator = build_simulator(recipe)
    batch = simulator.on(Grid(SMALL, simulator.grid.pixel_scale))(recipe.seed, FEW[:5])
    for image in ("noisy", "clean", "source"):
        assert batch[image].shape == (5, 3, *SMALL)
        assert batch[image].isfinite().all()
    assert (batch["clean"].amax((1, 2, 3)) > 0).all()
    assert (batch["clean"] >= batch["source"] - 1e-3 * batch["sky_sigma"][..., None, None]).all()


@pytest.fixture
def lenses_once(monkeypatch):
    """Collett draws the same lenses for the same rules, and draws them once."""
    known, detected = {}, Collett.detected

    def recalled(self, seed, indices):
        key = (seed, tuple(indices.tolist()), repr(self.rules))
        if key not in known:
            known[key] = detected(self, seed, indices)
        return known[key]

    monkeypatch.setattr(Collett, "detected", recalled)


@pytest.mark.usefixtures("lenses_once")
@pytest.mark.parametrize("name", SHIPPED)
def test_every_key_of_a_recipe_changes_what_is_drawn(name):
    recipe = _simulation(name)
    keys = [key for key in recipe.model_fields_set if key != "population"]
    keys += [f"population.{key}" for key in recipe.population.keywords]
    assert len(keys) > 4
    own = _drawn(recipe)
    assert _same(own, _drawn(recipe))
    assert [key for key in keys if _same(own, _drawn(_without(recipe, key)))] == []


@pytest.fixture(scope="module")
def lsst():
    """(recipe, 400 scenes)."""
    recipe = _simulation("lsst.toml")
    return recipe, build_simulator(recipe).population.draw(recipe.seed, torch.arange(400))


def test_compact_networks_see_the_papers_data():
    assert _simulation("compact.toml") == _simulation("paper.toml")
    noisy = read_recipe(Path(__file__).parents[1] / "benchmarks/noisy.toml")
    assert noisy.simulation == _simulation("compact.toml")


def test_lsst_has_every_kind_in_its_share(lsst):
    """To four standard deviations of the count."""
    recipe, scene = lsst
    keywords = recipe.population.keywords
    lenses = keywords["lens_fraction"]
    shares = {kind: (1 - lenses) * share for kind, share in keywords["impostors"].items()}
    left = 1 - lenses - sum(shares.values())
    shares |= {"lens": lenses, "empty": left * keywords["empty_fraction"]}
    shares["unlensed_source"] = left * (1 - keywords["empty_fraction"])
    assert set(shares) == set(KINDS)
    count = torch.bincount(scene.kind, minlength=len(KINDS)).numpy()
    expected = len(scene.kind) * np.array([shares[kind] for kind in KINDS])
    assert (np.abs(count - expected) < 4 * np.sqrt(expected)).all()
    assert (count > 5).all()


def test_lsst_scatters_the_mass_about_the_light_as_slacs(lsst):
    """What the recipe's comment says: 12° and 10 % at q = 0.75, 0.05 of shear, slopes by 0.16."""
    _, scene = lsst
    light, mass = scene.foreground, scene.mass
    rows = scene.is_lens & ((light.q[:, 0] - 0.75).abs() < 0.07)
    angle = torch.rad2deg(light.phi[:, 0] - mass.phi)[rows]
    angle = (angle + 90) % 180 - 90
    assert 9.5 < angle.square().mean().sqrt() < 14.5
    assert 0.08 < (mass.q / light.q[:, 0])[rows].std() < 0.12
    lenses = scene.is_lens
    assert abs(torch.hypot(mass.gamma1, mass.gamma2)[lenses].mean() - 0.05) < 0.008
    assert abs(mass.slope[lenses].std() - 0.16) < 0.03


def test_lsst_is_seen_from_one_visit_to_ten_years(lsst):
    """Zero points say how many equal visits a coadd is worth, at most as many as there are."""
    recipe, _ = lsst
    simulator = build_simulator(recipe)
    conditions = simulator.observing.draw(recipe.seed, torch.arange(400), 0.2)
    band = simulator.observing.survey.bands["i"]
    visits = 10 ** (0.4 * (conditions.zero_point[:, 2] - band.total_zero_point(1.0)))
    assert visits.quantile(0.1) < 2
    assert 100 < visits.max() <= 1.0001 * band.visits
    assert build_grids(recipe).smallest == (41, 41)
    assert build_grids(recipe).largest == (111, 111)
