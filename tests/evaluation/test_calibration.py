"""Calibration: what is calibrated passes, what is not is caught."""

import math

import numpy as np
import pytest
import torch
from scipy.special import expit

from lensmill.evaluation.calibration import (
    coverage,
    expected_calibration_error,
    fit_temperature,
    pit,
    reliability,
)
from lensmill.stages.posterior import Mixture


@pytest.fixture
def posterior():
    generator = torch.Generator().manual_seed(1)
    mean = 0.3 * torch.randn(3000, 2, 3, generator=generator)
    scale = torch.diag_embed(torch.tensor([0.2, 0.1, 0.05]).expand(3000, 2, 3)).clone()
    scale[..., 1, 0] = 0.07
    return Mixture(torch.log(torch.tensor([0.3, 0.7])).expand(3000, 2), mean, scale)


def truth_of(value):
    return {"theta_E": value[:, 0].exp(), "e1": value[:, 1], "e2": value[:, 2]}


def test_truths_drawn_from_their_posteriors_are_covered(posterior):
    drawn = posterior.sample(1, torch.Generator().manual_seed(2))[:, 0]
    values = pit(posterior.batch(), truth_of(drawn))
    for level in (0.5, 0.68, 0.9, 0.95):
        for column in values.T:
            assert coverage(column, level) == pytest.approx(level, abs=0.04)


def test_too_narrow_posteriors_are_caught(posterior):
    drawn = posterior.sample(1, torch.Generator().manual_seed(2))[:, 0]
    narrow = Mixture(posterior.log_weight, posterior.mean, posterior.scale_tril / 2)
    assert coverage(pit(narrow.batch(), truth_of(drawn))[:, 0], 0.68) < 0.55


def test_coverage_by_hand():
    assert coverage(np.array([0.05, 0.3, 0.5, 0.8]), 0.5) == 0.5
    assert math.isnan(coverage(np.array([]), 0.5))


def test_reliability_by_hand():
    curve = reliability(np.array([0.1, 0.3, 0.9, 1.0]), np.array([False, True, True, True]), 2)
    assert curve.predicted == pytest.approx([0.2, 0.95])
    assert curve.observed == pytest.approx([0.5, 1.0])
    assert curve.count.tolist() == [2, 2]
    assert curve.expected_error == pytest.approx((0.3 * 2 + 0.05 * 2) / 4)


def test_empty_bins_do_not_count():
    curve = reliability(np.array([0.95]), np.array([True]), 10)
    assert np.isnan(curve.observed[:9]).all()
    assert curve.expected_error == pytest.approx(0.05)


def test_temperature_cures_overconfidence():
    generator = np.random.default_rng(4)
    logit = 2 * generator.normal(size=20_000)
    label = generator.random(20_000) < expit(logit)
    temperature = fit_temperature(3 * logit, label)
    assert temperature == pytest.approx(3, rel=0.05)
    before = expected_calibration_error(expit(3 * logit), label)
    after = expected_calibration_error(expit(3 * logit / temperature), label)
    assert after < 0.02 < 0.05 < before
