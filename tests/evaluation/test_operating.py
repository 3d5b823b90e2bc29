"""Operating points: against purity by hand, and against a sky that is drawn."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lensmill.evaluation.metrics import purity
from lensmill.evaluation.operating import (
    COMPLETENESSES,
    at_prevalence,
    extrapolated_rate,
    operating_point,
    operating_points,
)


def calibrated(count, seed=0):
    """Scores that are what they claim to be, and labels."""
    generator = np.random.default_rng(seed)
    score = generator.beta(0.4, 0.4, count)
    return score, generator.random(count) < score


def test_each_row_keeps_what_it_says():
    score, label = calibrated(5000)
    points = operating_points(score, label, 1e-2)
    assert [round(p["completeness"], 2) for p in points] == list(COMPLETENESSES)
    for point in points:
        kept = score >= point["threshold"]
        assert point["false_positives"] == (kept & ~label).sum()
        assert point["purity_low"] < point["purity"] < point["purity_high"]
    thresholds = [point["threshold"] for point in points]
    assert thresholds == sorted(thresholds)


def test_purity_is_that_of_a_sky_with_so_few_lenses():
    """Non-lenses repeated until one object in twenty is a lens: the share of lenses kept."""
    score, label = calibrated(40_000, seed=1)
    (point,) = [
        p for p in operating_points(score, label, 0.05) if round(p["completeness"], 1) == 0.6
    ]
    kept = score >= point["threshold"]
    weight = 19 * label.sum() / (~label).sum()
    lenses, others = (kept & label).sum(), weight * (kept & ~label).sum()
    assert point["purity"] == pytest.approx(lenses / (lenses + others), rel=0.01)
    assert point["purity_calibrated"] == pytest.approx(point["purity"], rel=0.1)


@pytest.mark.parametrize("faint", [0, 400])
def test_beyond_what_counts_reach_the_rate_is_that_of_many(faint):
    """Of 400 non-lenses, one or none of them left, and faint lenses that score as others do."""
    score, label = calibrated(200_000, seed=2)
    lenses, others = score[label], score[~label]
    lens = np.arange(800 + faint) < 400 + faint
    found = []
    for first in range(0, 40_000, 400):
        few = others[first : first + 400]
        mixed = np.r_[0.3 * few[:faint], lenses[first : first + 400], few]
        found.append(extrapolated_rate(mixed, lens, 0.97))
    assert np.median(found) == pytest.approx((others >= 0.97).mean(), rel=0.15)


def test_where_they_reach_counts_are_taken():
    """Scores that claim far too much: sure of every lens, and of twenty others."""
    label = np.arange(200) < 100
    score = np.where(np.arange(200) < 120, 1.0, 0.1)
    for point in operating_points(score, label, 1e-3):
        assert point["purity_calibrated"] == pytest.approx(point["purity"])


def test_no_false_positive_is_not_purity_one():
    score = np.array([0.9, 0.95, 0.99, 0.1, 0.2, 0.3, 0.15])
    label = np.array([True] * 3 + [False] * 4)
    point = operating_points(score, label, 1e-3)[0]
    assert point["false_positives"] == 0
    assert point["purity"] == pytest.approx(purity(1.0, 0.1, 1e-3), rel=0.4)


def test_the_odds_scale():
    assert at_prevalence(0.5, 1e-3) == pytest.approx(1e-3)
    assert at_prevalence(0.7, 0.5) == pytest.approx(0.7)
    p = at_prevalence(np.array([0.2, 0.999]), 0.01)
    np.testing.assert_allclose(p / (1 - p), np.array([0.25, 999]) / 99, rtol=1e-9)


def write(folder, name="evaluation.parquet", labels=(True, False, True, False, False)):
    scores = np.linspace(0.9, 0.1, len(labels)).astype(np.float32)
    pq.write_table(pa.table({"p_lens": scores, "is_lens": list(labels)}), folder / name)


@pytest.mark.parametrize("name", ["evaluation.parquet", "inject.parquet"])
def test_a_folder_of_either_kind(tmp_path, name):
    write(tmp_path, name)
    points = operating_point(tmp_path, prevalence=1e-3, density=2000.0)
    for point in points:
        assert point["lenses"] == pytest.approx(2000 * point["completeness"])
        assert point["candidates"] == pytest.approx(point["lenses"] / point["purity"])
    assert json.loads((tmp_path / "operating_point.json").read_text())["points"] == points


def test_what_is_no_folder_of_scores(tmp_path):
    with pytest.raises(ValueError, match=r"no evaluation\.parquet of evaluate and no inject"):
        operating_point(tmp_path, prevalence=1e-3)
    write(tmp_path, labels=(False, False, False))
    with pytest.raises(ValueError, match="one kind alone"):
        operating_point(tmp_path, prevalence=1e-3)
    with pytest.raises(ValueError, match=r"between 0 and 1, not 1\.5"):
        operating_point(tmp_path, prevalence=1.5)
