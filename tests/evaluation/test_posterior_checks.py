"""Posterior checks: right posteriors pass, and every kind of wrong one is caught."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from lensmill.evaluation.posterior_checks import (
    DRAWS,
    check,
    expected_coverage,
    histogram,
    references,
    sharpness,
    tarp_share,
    uniformity_distance,
)
from lensmill.stages.posterior import Mixture

COUNT = 2500
LIMIT = 1.95 / COUNT**0.5
"""Of the distance from uniform: one sample in a thousand exceeds it."""


@pytest.fixture(scope="module")
def posterior():
    generator = torch.Generator().manual_seed(1)
    mean = 0.3 * torch.randn(COUNT, 2, 3, generator=generator)
    scale = torch.diag_embed(torch.tensor([0.3, 0.15, 0.1]).expand(COUNT, 2, 3)).clone()
    scale[..., 1, 0] = 0.12
    return Mixture(torch.log(torch.tensor([0.3, 0.7])).expand(COUNT, 2), mean, scale)


@pytest.fixture(scope="module")
def truth(posterior):
    return posterior.sample(1, torch.Generator().manual_seed(2))[:, 0]


def distances(mixture, truth):
    found = check(mixture, truth, seed=3)
    ranks = (found["rank"].double() + torch.rand(found["rank"].shape)) / (DRAWS + 1)
    return [uniformity_distance(column.numpy()) for column in (*ranks.T, found["tarp"])]


def test_right_posteriors_pass(posterior, truth):
    torch.manual_seed(0)
    *ranks, tarp = distances(posterior, truth)
    assert max(ranks) < LIMIT
    assert tarp < LIMIT + 1 / DRAWS


@pytest.mark.parametrize("factor", [0.5, 2.0], ids=["over-confident", "under-confident"])
def test_wrong_widths_are_caught(posterior, truth, factor):
    wrong = replace(posterior, scale_tril=factor * posterior.scale_tril)
    assert min(distances(wrong, truth)) > 2 * LIMIT


@pytest.mark.parametrize("parameter", [0, 1, 2])
def test_a_bias_is_caught_in_its_own_parameter(posterior, truth, parameter):
    shift = torch.zeros(3)
    shift[parameter] = 0.15
    *ranks, _ = distances(replace(posterior, mean=posterior.mean + shift), truth)
    wrong = [distance > 2 * LIMIT for distance in ranks]
    assert wrong == [number == parameter for number in range(3)]


def test_only_tarp_sees_a_wrong_correlation():
    """Marginals are right: ranks pass. It takes many examples."""
    count = 20_000
    limit = 1.95 / count**0.5
    scale = torch.diag_embed(torch.full((count, 1, 3), 0.2))
    tilted = scale.clone()
    tilted[..., 2, 1], tilted[..., 2, 2] = 0.198, 0.2 * (1 - 0.99**2) ** 0.5
    weight, mean = torch.zeros(count, 1), torch.zeros(count, 1, 3)
    right, wrong = (Mixture(weight, mean, each) for each in (tilted, scale))
    truth = right.sample(1, torch.Generator().manual_seed(4))[:, 0]
    torch.manual_seed(0)
    *ranks, tarp = distances(wrong, truth)
    assert max(ranks) < limit
    assert tarp > 1.5 * limit
    assert tarp > 2 * distances(right, truth)[-1]


def test_tarp_by_hand():
    draws = torch.tensor([[[0.0, 0.0, 0.0], [0.9, 0.0, 0.0], [0.0, 0.3, 0.0], [0.0, 0.6, 0.0]]])
    truth, reference = torch.tensor([[1.0, 0.0, 0.0]]), torch.zeros(1, 3)
    # In units of the box's sides (2.4, 1, 1) the truth is at 0.417, the draws at 0, .375, .3, .6.
    assert tarp_share(draws, truth, reference).item() == 0.75


def test_references_fill_the_box():
    points = references(4000, torch.Generator().manual_seed(0))
    assert points.amin(0).tolist() == pytest.approx([-1.2, -0.5, -0.5], abs=0.01)
    assert points.amax(0).tolist() == pytest.approx([1.2, 0.5, 0.5], abs=0.01)


def test_sharpness_is_the_spread_of_draws(posterior):
    few = Mixture(posterior.log_weight[:5], posterior.mean[:5], posterior.scale_tril[:5])
    drawn = few.sample(40_000, torch.Generator().manual_seed(5)).std(1)
    torch.testing.assert_close(sharpness(few), drawn, rtol=0.02, atol=0)


def test_uniformity_distance_is_scipys():
    value = np.random.default_rng(0).beta(2, 1, size=300)
    assert uniformity_distance(value) == pytest.approx(kstest(value, "uniform").statistic)
    assert np.isnan(uniformity_distance(np.array([])))


def test_expected_coverage_and_histogram_by_hand():
    share = np.array([0.0, 0.1, 0.45, 1.0])
    assert expected_coverage(share, np.array([0.1, 0.5, 1.0])).tolist() == [0.25, 0.75, 0.75]
    assert histogram(share, 2).tolist() == [3, 1]
