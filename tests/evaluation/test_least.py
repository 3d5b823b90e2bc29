"""Least: what figures of Table 1 come to at the information limit."""

import numpy as np
import pytest

from lensmill.evaluation.least import beside, least_errors

RANGES = {"theta_E": (0.5, 2.5), "q": (0.2, 1.0), "phi": (0.0, np.pi)}


@pytest.fixture
def tables():
    truth = {"theta_E": [1.0, 2.0, 1.5], "e1": [0.1, 0.0, -0.1], "e2": [0.2, 0.1, 0.0]}
    table = {name: np.array(column) for name, column in truth.items()}
    table |= {f"{name}_predicted": table[name] for name in truth}
    table |= {"index": np.arange(3), "is_lens": np.array([True, True, False])}
    table["display_psnr_denoised"] = np.array([40.0, np.inf, 50.0])
    limits = {"index": np.arange(3), "display_psnr_denoised_limit": np.full(3, 60.0)}
    limits["sigma_ln_theta_E_limit"] = np.array([0.1, 0.05, np.nan])
    limits |= {f"sigma_{name}_limit": np.array([1e-9, 1e-9, np.nan]) for name in ("e1", "e2")}
    return table, limits


def test_pictures_have_their_limit_where_both_are_known(tables):
    ours, limit = beside("display_psnr_denoised_mean", *tables, None)
    assert ours.tolist() == [40, 50]
    assert limit.tolist() == [60, 60]


def test_an_error_of_theta_e_alone_is_a_third_of_its_mean_size(tables):
    found = least_errors(*tables, RANGES)
    mean_size = np.sqrt(2 / np.pi) * np.array([0.1, 0.1]) / 2  # σ θ_E over the range
    np.testing.assert_allclose(found[:2], mean_size / 3, rtol=0.12)
    assert np.isnan(found[2])


def test_the_papers_error_is_beside_the_least_one(tables):
    ours, limit = beside("mae_chained", *tables, RANGES)
    assert ours.tolist() == [0, 0]
    assert (limit > 0).all()


def test_what_has_no_limit_has_none(tables):
    assert beside("accuracy", *tables, RANGES) is None
    assert beside("mae_chained", *tables, None) is None
    assert beside("display_psnr_source_chained_mean", *tables, RANGES) is None
