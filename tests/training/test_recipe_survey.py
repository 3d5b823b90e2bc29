"""A survey of one's own in a recipe: the same as a preset of the same numbers."""

from dataclasses import asdict

import pytest
import torch

from lensmill.physics.surveys import preset
from lensmill.training.build import build_observing, build_simulator, build_survey
from lensmill.training.recipe import Recipe, SimulationRecipe, parse_recipe

INDICES = torch.arange(7)
BAND = (
    "{ zero_point = 26.0, sky_brightness = 21, psf_fwhm = 0.7, exposure_time = 60, read_noise = 4 }"
)
OWN = f"""
[simulation.survey]
pixel_scale = 0.3
[simulation.survey.bands]
g = {BAND}
r = {BAND}
i = {BAND}
"""


def _as_own(name):
    survey = preset(name)
    bands = {band: asdict(value) for band, value in survey.bands.items()}
    own = {"pixel_scale": survey.pixel_scale, "bands": bands}
    return Recipe.model_validate({"simulation": {"survey": own, "depth": [0.2, 1.5]}}).simulation


@pytest.mark.parametrize("name", ["lsst_10year", "hsc_wide"])
def test_a_presets_numbers_make_the_presets_images(name):
    own = _as_own(name)
    named = own.model_copy(update={"survey": name})
    one, other = (build_simulator(recipe)(3, INDICES) for recipe in (own, named))
    for quantity, value in one.items():
        assert torch.equal(value, other[quantity]), quantity


def test_what_is_left_out_is_one_visit_of_one_read():
    recipe = parse_recipe(OWN).simulation
    band = build_survey(recipe).bands["r"]
    seen = build_observing(recipe).draw(3, INDICES, 0.3)
    assert (band.visits, band.reads) == (1, 1)
    torch.testing.assert_close(seen.zero_point, torch.full((7, 3), band.total_zero_point(1)))
    torch.testing.assert_close(seen.sky_sigma**2, torch.full((7, 3), band.sky(0.3) + 16))
    assert build_simulator(recipe).grid.pixel_scale == 0.3


def test_it_survives_json():
    recipe = parse_recipe(OWN).simulation
    again = SimulationRecipe.model_validate_json(recipe.model_dump_json())
    assert again == recipe
    assert list(build_survey(again).bands) == ["g", "r", "i"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (OWN.replace("zero_point", "zero_pont", 1), "survey.bands.g.zero_pont: .*'zero_point'"),
        (OWN.replace("zero_point", "zero_pont", 1), "survey.bands.g.zero_point: Field required"),
        (OWN.replace("pixel_scale", "pixelscale"), "simulation.survey.pixelscale: .*'pixel_scale'"),
        (OWN.replace("read_noise = 4", "read_noise = -4"), "bands.i.read_noise: .*greater"),
        (OWN.replace("psf_fwhm = 0.7", "psf_fwhm = 0"), "bands.r.psf_fwhm: .*greater than 0"),
        ("[simulation]\nsurvey = 3", "simulation.survey: Input should be a valid string"),
        ("[simulation]\nvisits = true\n" + OWN, "visits are those of LSST, not of your own survey"),
    ],
)
def test_mistake_is_named(text, message):
    with pytest.raises(ValueError, match=f"(?s)^mine.toml:.*{message}"):
        parse_recipe(text, "mine.toml")


def test_bands_that_the_population_lacks_are_named():
    recipe = parse_recipe(OWN.replace("g = {", "y = {")).simulation
    with pytest.raises(ValueError, match=r"draws bands .*'g'.*, the survey observes .*'y'"):
        build_simulator(recipe)
