"""The benchmark of shifted conditions: each shift is one, and a row and a figure come of it."""

from importlib import resources

import pytest
import shifts
import torch

from lensmill.evaluation.calibrate import calibrate
from lensmill.evaluation.modules import STAGES, Modules
from lensmill.stages.familiar import PARTS
from lensmill.training.build import build_simulator, build_stage
from lensmill.training.checkpoint import save_stage
from lensmill.training.loader import Loader
from lensmill.training.recipe import parse_recipe

RANGES = {"theta_E": (0.3, 3.0), "q": (0.2, 1.0), "phi": (0.0, 3.14)}
NAMES = list(shifts.shifts(parse_recipe("").simulation))
FEW = torch.arange(40)


@pytest.fixture(scope="module")
def recipe():
    text = resources.files("lensmill.recipes").joinpath("smoke.toml").read_text(encoding="utf-8")
    return parse_recipe(text)


def _drawn(simulation):
    simulator = build_simulator(simulation)
    return simulator.draw(simulation.seed, FEW)


@pytest.mark.parametrize("name", NAMES)
def test_each_shift_changes_what_it_says(recipe, name):
    shift = shifts.shifts(recipe.simulation)[name]
    (plain, seen), (scene, conditions) = (
        _drawn(each) for each in (recipe.simulation, shift.of(recipe.simulation))
    )
    lens = scene.is_lens
    assert torch.equal(lens, plain.is_lens)
    if name.startswith("seeing"):
        factor = float(name.split("_")[1])
        torch.testing.assert_close(conditions.psf_fwhm, factor * seen.psf_fwhm)
    elif name == "depth_0.3":
        assert (conditions.sky_sigma / seen.sky_sigma).mean() == pytest.approx(0.3**0.5, rel=0.05)
    elif name.startswith("slope"):
        assert (scene.mass.slope[lens] == float(name.split("_")[1])).all()
    elif name == "shear_0.05":
        size = torch.hypot(scene.mass.gamma1, scene.mass.gamma2)[lens]
        assert size.mean() == pytest.approx(0.05, abs=0.015)
    elif name == "clumpy_sources":
        assert scene.source.x.shape[1] == plain.source.x.shape[1] + 3
    elif "aligned" in name:
        off = torch.sin(scene.mass.phi - scene.foreground.phi[:, 0]).abs().mean()
        assert (off < 1e-3) == name.startswith("aligned")
    else:
        torch.testing.assert_close(vars(scene.mass), vars(plain.mass))


def test_arcs_alone_have_the_skys_noise(recipe):
    batch = Loader.of(recipe.simulation, 8)(0)
    alone = shifts.arcs_alone(batch)
    assert torch.equal(alone["clean"], batch["source"])
    noise = (alone["noisy"] - batch["source"]) / batch["sky_sigma"][..., None, None]
    assert noise.std() == pytest.approx(1, abs=0.02)
    assert alone["is_lens"] is batch["is_lens"]


def test_a_wrong_header_changes_no_pixel(recipe):
    batch = Loader.of(recipe.simulation, 4)(0)
    stated = shifts.shifts(recipe.simulation)["stated_noise_0.8"].stated(batch)
    changed = {name for name, value in batch.items() if not torch.equal(stated[name], value)}
    assert changed == {"sky_sigma"}


@pytest.mark.parametrize("name", ["stated_seeing_0.8", "misaligned_arcs_alone"])
def test_figures_come_of_it(recipe, tmp_path, name):
    torch.manual_seed(0)
    for stage in STAGES:
        made_by = recipe.stages[stage]
        save_stage(tmp_path / f"{stage}.safetensors", build_stage(made_by), made_by)
    calibrate(tmp_path, recipe, count=16, batch=8)
    shift = shifts.shifts(recipe.simulation)[name]
    table = shifts.measured(Modules.load(tmp_path), recipe.simulation, shift, 10, "cpu")
    assert len(table["index"]) == 10
    found = shifts.figures(table, RANGES, None)
    assert {"accuracy", "e1_coverage90", "e2_rank_distance", "tarp_distance"} <= found.keys()
    assert {f"ood_flagged_by_{part}" for part in PARTS} <= found.keys()
    assert len(shifts.line(name, found).split()) == 1 + len(shifts.COLUMNS)
