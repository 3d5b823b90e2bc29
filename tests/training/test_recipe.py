"""Recipes: every mistake is named, with its path and the right key."""

from importlib import resources
from pathlib import Path

import pytest

from lensmill.training.build import build_grids, build_simulator, build_stage
from lensmill.training.recipe import parse_recipe, read_recipe, shipped_recipe

SHIPPED = sorted(
    path.name
    for path in resources.files("lensmill.recipes").iterdir()
    if path.name.endswith(".toml")
)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_recipe_builds(name):
    recipe = parse_recipe(resources.files("lensmill.recipes").joinpath(name).read_text(), name)
    simulator = build_simulator(recipe.simulation)
    assert build_grids(recipe.simulation).largest == simulator.grid.shape
    for stage_name, part in recipe.stages.items():
        stage = build_stage(part)
        assert stage.bands == simulator.population.bands, stage_name
        assert set(part.upstream) < set(recipe.stages), stage_name


def test_recipes_are_shipped():
    assert {"smoke.toml", "survey.toml"} <= set(SHIPPED)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("simulatoin = {}", "simulatoin: no such key; did you mean 'simulation'?"),
        ("[simulation]\npsf_fhwm = [1, 2]", "simulation.psf_fhwm: .*did you mean 'psf_fwhm'?"),
        ("[simulation]\nzzz = 1", "simulation.zzz: no such key; known keys: .*sky_scatter.*survey"),
        (
            "[simulation]\nsteps = 1",
            "simulation.steps: no such key; known keys: bad_pixels, band_scatter",
        ),
        (
            "[stages.a]\nnetwerk = {}",
            "stages.a.netwerk: no such key; did you mean 'network'",
        ),
        (
            "[stages.a.training]\nlearningrate = 1",
            "stages.a.training.learningrate: .*did you mean 'learning_rate'",
        ),
        ("[stages.a]\nstage = { }", "stages.a.stage.name: Field required"),
        ("[simulation]\nseed = -1", "simulation.seed: Input should be greater than or equal to 0"),
        ("[simulation]\ndepth = [2, 1]", "simulation.depth: .*0 < low ≤ high"),
        ("[simulation]\ndepth = [0.2, inf]", "simulation.depth.1: .*finite number"),
        ("[simulation]\npsf_fwhm = [0.6, inf]", "simulation.psf_fwhm.1: .*finite number"),
        ("[simulation]\npixel_scale = [nan, 0.2]", "simulation.pixel_scale.0: .*finite number"),
        ("[simulation]\nmoffat = [2.5, inf]", "simulation.moffat.1: .*finite number"),
        ("[simulation]\nseeing = inf", "simulation.seeing: .*finite number"),
        ("[simulation]\nsky_scatter = inf", "simulation.sky_scatter: .*finite number"),
        ("[together.training]\nhalvings = inf", "together.training.halvings: .*finite number"),
        ("[simulation]\nmoffat = [1, 3]", "simulation.moffat: .*1 < low ≤ high.*no finite flux"),
        ("[simulation]\nmoffat = [4, 3]", "simulation.moffat: .*1 < low ≤ high"),
        ("[simulation]\npsf_ellipticity = 0.05", "simulation: .*give moffat = "),
        ("[simulation]\npsf_ellipticity = 0.5", "simulation.psf_ellipticity: .*less than or equal"),
        ("[simulation]\npsf_image_scale = 0.2", "simulation: .*belongs to psf_images"),
        (
            "[simulation]\npsf_images = 'x'\nmoffat = [2, 3]\nvisits = true",
            "simulation: .*psf_images leaves nothing to visits, moffat",
        ),
        (
            "[simulation]\nvisits = true\nsky_scatter = 0.2",
            "simulation: .*visits leaves nothing to sky_scatter",
        ),
        ("[simulation]\nvisits = true\nsurvey = 'hsc_wide'", "simulation: .*LSST, not of hsc_wide"),
        (
            "simulation = { resampled = true }\n[stages.a]\nstage = { name = 'Denoise' }\n"
            "network = { name = 'UNet' }\ntraining = { fresh_noise = true }",
            "fresh_noise is white",
        ),
        ("[simulation]\nbad_pixels = 0.5", "simulation.bad_pixels: .*less than or equal to 0.1"),
        ("[simulation]\nshape = [[40, 50], [60, 49]]", "simulation.shape: .*smallest ≤ largest"),
        ("[simulation]\nshape = [[0, 50], [60, 60]]", "simulation.shape: .*0 < smallest"),
        ("[stages.a.training]\nprecision = 'fp8'", "stages.a.training.precision: .*'32-true'"),
    ],
)
def test_mistake_is_named(text, message):
    with pytest.raises(ValueError, match=f"(?s)^mine.toml:.*{message}"):
        parse_recipe(text, "mine.toml")


def test_all_mistakes_are_told_at_once():
    text = "[simulation]\nseed = 1.5\npsf = 1\n[stages.a.training]\nsteps = 0\n"
    with pytest.raises(ValueError, match="mine") as caught:
        parse_recipe(text, "mine")
    lines = str(caught.value).splitlines()
    places = [line.split(":")[0].strip() for line in lines[1:]]
    assert sorted(places) == [
        "simulation.psf",
        "simulation.seed",
        "stages.a.network",
        "stages.a.stage",
        "stages.a.training.steps",
    ]


def test_what_is_no_toml(tmp_path):
    with pytest.raises(ValueError, match=r"mine.toml is not TOML.*line 1"):
        parse_recipe("= what", "mine.toml")
    (tmp_path / "binary.toml").write_bytes(b"\x89PNG\xff\x00")
    with pytest.raises(ValueError, match=r"binary.toml is not TOML"):
        read_recipe(tmp_path / "binary.toml")


def test_missing_file(tmp_path):
    with pytest.raises(ValueError, match=r"no recipe .*nowhere.toml"):
        read_recipe(tmp_path / "nowhere.toml")


def test_a_file_reads_like_its_text(tmp_path):
    text = resources.files("lensmill.recipes").joinpath("smoke.toml").read_text()
    (tmp_path / "mine.toml").write_text(text)
    assert read_recipe(tmp_path / "mine.toml") == parse_recipe(text)


def test_a_recipe_survives_json():
    text = resources.files("lensmill.recipes").joinpath("smoke.toml").read_text()
    recipe = parse_recipe(text)
    assert type(recipe).model_validate_json(recipe.model_dump_json()) == recipe


def test_a_shipped_recipe_is_read_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read_recipe(Path("smoke")) == shipped_recipe("smoke")
    with pytest.raises(ValueError, match=r"no recipe 'smok'; shipped: .*smoke"):
        read_recipe(Path("smok"))
    with pytest.raises(ValueError, match=r"no recipe mine.toml; shipped: .*survey"):
        read_recipe(Path("mine.toml"))
