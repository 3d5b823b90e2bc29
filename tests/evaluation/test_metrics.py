"""Metrics against scikit-learn, hand values and their own symmetries."""

import math

import numpy as np
import pytest
import torch

from lensmill.evaluation.metrics import (
    auroc,
    circular_difference_deg,
    correlation,
    error_rms,
    linear_psnr,
    purity,
    purity_at_completeness,
    tpr_at_false_positives,
)


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(3)
    truth = torch.rand(3, 2, 7, 5, generator=generator) * 20
    image = truth + torch.randn(truth.shape, generator=generator)
    return image, truth, torch.tensor([[1.0, 2.0], [0.5, 1.0], [3.0, 3.0]])


def test_error_rms_by_hand():
    truth = torch.zeros(2, 2, 4, 6)
    image = torch.stack([torch.full((4, 6), 3.0), torch.full((4, 6), 8.0)]).expand(2, 2, 4, 6)
    sigma = torch.tensor([[3.0, 2.0], [1.0, 1.0]])
    expected = [math.sqrt((1 + 16) / 2), math.sqrt((9 + 64) / 2)]
    assert error_rms(image, truth, sigma).tolist() == pytest.approx(expected)


def test_linear_psnr_by_hand():
    truth = torch.zeros(2, 1, 4, 6)
    truth[0, 0, 0, 0] = 50.0
    psnr = linear_psnr(truth + 0.5, truth, torch.full((2, 1), 5.0))
    # The first has a range of 10 σ, the empty one the floor of 3 σ; both errors are 0.1 σ.
    assert psnr.tolist() == pytest.approx([40.0, 20 * math.log10(30)])


@pytest.mark.parametrize("metric", [error_rms, linear_psnr, correlation])
def test_image_metrics_do_not_depend_on_the_images_unit(metric, images):
    image, truth, sigma = images
    unit = torch.tensor([7.0, 0.01])
    scaled = metric(image * unit[:, None, None], truth * unit[:, None, None], sigma * unit)
    torch.testing.assert_close(scaled, metric(image, truth, sigma))


def test_correlation_is_numpys(images):
    image, truth, sigma = images
    a, b = ((each / sigma[..., None, None]).flatten(1).numpy() for each in (image, truth))
    expected = [np.corrcoef(x, y)[0, 1] for x, y in zip(a, b, strict=True)]
    assert correlation(image, truth, sigma).tolist() == pytest.approx(expected)


def test_correlation_with_a_constant_is_nan(images):
    image, truth, sigma = images
    assert correlation(image, torch.zeros_like(truth), sigma).isnan().all()


@pytest.mark.parametrize(
    ("a", "b", "expected"), [(80, -80, -20), (-80, 80, 20), (10, 5, 5), (0, 180, 0), (90, 0, -90)]
)
def test_position_angles_differ_by_the_short_way(a, b, expected):
    assert circular_difference_deg(np.array([float(a)]), np.array([float(b)])) == expected


@pytest.fixture
def scores():
    generator = np.random.default_rng(5)
    label = generator.random(400) < 0.4
    return np.round(generator.normal(label.astype(float)), 1), label  # rounded: with ties


def test_auroc_is_scikit_learns(scores):
    metrics = pytest.importorskip("sklearn.metrics")
    score, label = scores
    assert auroc(score, label) == pytest.approx(metrics.roc_auc_score(label, score))


@pytest.mark.parametrize("count", [0, 1, 5, 10])
def test_tpr_at_false_positives_is_on_scikit_learns_curve(scores, count):
    metrics = pytest.importorskip("sklearn.metrics")
    score, label = scores
    fpr, tpr, _ = metrics.roc_curve(label, score, drop_intermediate=False)
    allowed = np.round(fpr * (~label).sum()) < max(count, 1)
    assert tpr_at_false_positives(score, label, count) == pytest.approx(tpr[allowed].max())


def test_a_tie_with_the_first_false_positive_does_not_count():
    score, label = np.array([0.9, 0.8, 0.8, 0.1]), np.array([True, True, False, False])
    assert tpr_at_false_positives(score, label, 0) == 0.5
    assert tpr_at_false_positives(score, label, 3) == 1.0


def test_one_class_alone_has_no_curve():
    score, lenses = np.array([0.9, 0.8]), np.array([True, True])
    assert math.isnan(auroc(score, lenses))
    assert math.isnan(tpr_at_false_positives(score, ~lenses, 0))


def test_purity_by_hand():
    assert purity(0.5, 1e-4, 1e-3) == pytest.approx(5e-4 / (5e-4 + 0.999e-4))
    assert math.isnan(purity(0.0, 0.0, 1e-3))


def test_purity_at_completeness_by_hand():
    score = np.array([0.9, 0.8, 0.7, 0.6, 0.85, *np.full(97, 0.1)])
    label = np.arange(102) < 4
    # Two of four lenses score above 0.75; one of 98 negatives does: (1 + 1/2) / 99.
    expected = purity(0.5, 1.5 / 99, 1e-3)
    assert purity_at_completeness(score, label, 1e-3) == pytest.approx(expected)


def test_no_false_positive_is_not_perfect_purity():
    score, label = np.array([0.9, 0.8, 0.2, 0.1]), np.array([True, True, False, False])
    assert purity_at_completeness(score, label, 1e-3) < 0.01
    assert math.isnan(purity_at_completeness(score[:2], label[:2], 1e-3))
