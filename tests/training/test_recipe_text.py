"""Recipe text: what is written is read again, whatever is in it."""

import pytest

from lensmill.training.recipe import parse_recipe, shipped_recipe, shipped_recipes
from lensmill.training.recipe_text import recipe_text


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes_survive(name):
    recipe = shipped_recipe(name)
    assert parse_recipe(recipe_text(recipe, "two\nlines")) == recipe


def test_a_survey_of_ones_own_and_awkward_words_survive():
    text = """
[simulation]
survey = { pixel_scale = 0.3, bands = { g = { zero_point = 27, sky_brightness = 22.0, \
psf_fwhm = 1.0, exposure_time = 60, read_noise = 5 } } }
population = { name = "my:Own", table = 'a "quoted" \\ path', "odd key" = [1, [2, 3]], on = true }

[together]
stages = []
"""
    recipe = parse_recipe(text)
    assert parse_recipe(recipe_text(recipe)) == recipe
