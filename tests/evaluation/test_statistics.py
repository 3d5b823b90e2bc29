"""Statistics: figures and their errors."""

import numpy as np

from lensmill.evaluation.statistics import figure, median, share


def test_what_is_no_number_does_not_count():
    assert figure(median, np.array([1.0, np.nan, 3.0])).n == 2


def test_a_share_of_all_or_none_is_not_certain():
    errors = {n: figure(share, np.ones(n, bool)).error for n in (1, 48, 10_000)}
    assert 0.2 < errors[1] < 0.4
    assert 0.01 < errors[48] < 0.02
    assert errors[10_000] < 1e-4
    assert figure(share, np.zeros(48, bool)).error == errors[48]
