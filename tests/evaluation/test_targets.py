"""Targets: the paper's scaled errors, by hand."""

import math
from importlib import resources

import numpy as np
import pytest
import torch

from lensmill.evaluation.targets import scaled_errors, target_ranges, targets
from lensmill.training.build import build_simulator
from lensmill.training.recipe import parse_recipe
from lensmill.units import ellipticity_from_axis_ratio

RANGES = {"theta_E": (0.5, 2.5), "q": (0.2, 1.0), "phi": (0.0, math.pi)}


def values(theta_E, q, phi):
    return {name: np.array([v]) for name, v in zip(RANGES, (theta_E, q, phi), strict=True)}


def test_each_error_is_a_share_of_its_range():
    predicted, truth = values(1.5, 0.6, 0.5 * math.pi), values(1.0, 0.8, 0.25 * math.pi)
    error = scaled_errors(predicted, truth, RANGES, circular=False)
    np.testing.assert_allclose(error, [[0.25, 0.25, 0.25]])


def test_only_the_circular_error_knows_that_an_axis_has_no_head():
    predicted, truth = values(1.0, 0.8, 0.01 * math.pi), values(1.0, 0.8, 0.99 * math.pi)
    raw, circular = (scaled_errors(predicted, truth, RANGES, each)[0, 2] for each in (False, True))
    assert (raw, circular) == (pytest.approx(0.98), pytest.approx(0.02))


def test_targets_are_the_masss_own():
    q, phi = torch.tensor([0.3, 0.7, 0.95]), torch.tensor([0.2, 1.9, 3.1])
    e1, e2 = (each.numpy() for each in ellipticity_from_axis_ratio(q, phi))
    found = targets(np.array([1.0, 2.0, 0.5], np.float32), e1, e2)
    np.testing.assert_allclose(found["q"], q, rtol=1e-6)
    np.testing.assert_allclose(found["phi"], phi, rtol=1e-5)


def test_ranges_are_those_of_the_lenses_in_training():
    text = resources.files("lensmill.recipes").joinpath("smoke.toml").read_text(encoding="utf-8")
    recipe = parse_recipe(text).simulation
    simulator = build_simulator(recipe)
    ranges = target_ranges(simulator, recipe.seed, draws=500)
    scene = simulator.population.draw(recipe.seed, torch.arange(500))
    for name, (low, high) in ranges.items():
        value = getattr(scene.mass, name)[scene.is_lens]
        assert ((value >= low) & (value <= high)).all()
        assert low < high
    assert ranges["theta_E"][0] > 0  # a non-lens has none
    wider = target_ranges(simulator, recipe.seed, draws=1000)
    assert all(wider[n][0] <= ranges[n][0] and ranges[n][1] <= wider[n][1] for n in ranges)


def test_without_lenses_there_are_no_ranges():
    recipe = parse_recipe('[simulation]\npopulation = { name = "Priors", lens_fraction = 0.0 }\n')
    assert np.isnan(target_ranges(build_simulator(recipe.simulation), 1)["q"]).all()
