"""Two samples: told apart where they differ, not where they do not; the strange are counted."""

import numpy as np
import pytest

from lensmill.evaluation.two_samples import COMMON, Classes, probe_auc


def normals(count, features=7, shift=0.0, seed=0):
    generator = np.random.default_rng([seed, count])
    return generator.normal(size=(count, features)) * np.arange(1, features + 1) + shift


def test_one_distribution_cannot_be_told_apart():
    found = probe_auc(normals(150, seed=1), normals(200, seed=2))
    assert abs(found.value - 0.5) < 4 * found.error
    assert found.n == 350


@pytest.mark.parametrize("scale", [1e-3, 1e4])
def test_a_shift_is_told_in_any_unit(scale):
    shift = np.array([0, 0, 4.0, 0, 0, 0, 0])
    found = probe_auc(scale * normals(120, shift=shift, seed=1), scale * normals(90, seed=2))
    # A shift of 4/3 σ: the area under the curve of two such normals is Φ(4/3/√2) = 0.83.
    assert found.value == pytest.approx(0.83, abs=0.06)


def test_more_features_than_objects_are_no_proof_of_a_difference():
    """A probe that is asked about the objects it was fitted to would tell any two samples apart."""
    found = probe_auc(normals(23, 128, seed=1), normals(31, 128, seed=2))
    assert abs(found.value - 0.5) < 0.25


def test_constant_features_are_harmless():
    one, other = normals(30, seed=1), normals(40, seed=2)
    one[:, 3] = other[:, 3] = 2.0
    assert np.isfinite(probe_auc(one, other).value)


def test_a_handful_of_objects_says_nothing():
    assert np.isnan(probe_auc(normals(4), normals(50)).value)


def test_the_known_are_ordinary_and_the_far_are_strange():
    label = np.arange(400) % 3
    known = normals(400) + 30 * label[:, None]
    classes = Classes.of(known, label)
    again = normals(300, seed=5) + 30 * (np.arange(300) % 3)[:, None]
    assert classes.strange_share(again) == pytest.approx(1 - COMMON, abs=0.03)
    assert classes.strange_share(normals(50) + 15) > 0.9  # between two classes
    assert classes.distance(again).shape == (300,)
