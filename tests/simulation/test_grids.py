"""Grids: every shape and pixel scale of the range, each a function of (seed, key)."""

import math

import pytest
from scipy.stats import chisquare, kstest

from lensmill.simulation.grids import Grids

GRIDS = Grids((32, 35), (34, 38), (0.17, 0.27))


@pytest.fixture(scope="module")
def drawn():
    return [GRIDS.draw(5, key) for key in range(720)]


def test_shapes_are_drawn_evenly(drawn):
    shapes = [grid.shape for grid in drawn]
    counts = [shapes.count((y, x)) for y in (32, 33, 34) for x in (35, 36, 37, 38)]
    assert sum(counts) == len(drawn)
    assert chisquare(counts).pvalue > 1e-3


def test_pixel_scales_are_drawn_evenly(drawn):
    scales = [grid.pixel_scale for grid in drawn]
    assert kstest(scales, "uniform", (0.17, 0.1)).pvalue > 1e-3


def test_shape_tells_nothing_of_the_pixel_scale(drawn):
    tallest = [grid.pixel_scale for grid in drawn if grid.shape[0] == 34]
    assert kstest(tallest, "uniform", (0.17, 0.1)).pvalue > 1e-3


@pytest.mark.parametrize("key", [0, 7, 2**40 + 3])
def test_a_grid_depends_on_seed_and_key_alone(key):
    assert GRIDS.draw(5, key) == GRIDS.draw(5, key)
    assert len({GRIDS.draw(5, key), GRIDS.draw(6, key), GRIDS.draw(5, key + 1)}) == 3


def test_a_range_of_one_is_that_one():
    grids = Grids((33, 40), (33, 40), (0.2, 0.2))
    for key in range(30):
        grid = grids.draw(5, key)
        assert grid.shape == (33, 40)
        assert math.isclose(grid.pixel_scale, 0.2)
