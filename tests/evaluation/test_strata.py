"""Strata of lenses by hand: whom AUROC is against, and tables that lack columns."""

import math

import numpy as np
import pytest

from lensmill.evaluation.strata import EDGES, strata

RANGES = {"theta_E": (0.5, 3.0), "q": (0.2, 1.0), "phi": (0.0, math.pi)}


@pytest.fixture
def table():
    """Two lenses, of S/N 15 and 30, and two that are none, of S/N 15 and 0; θ_E of 1 and 2 FWHM."""
    columns = {
        "p_lens": np.array([0.4, 0.9, 0.5, 0.1]),
        "is_lens": np.array([True, True, False, False]),
        "source_snr": np.array([15.0, 30.0, 15.0, 0.0]),
        "theta_E": np.array([0.8, 1.6, 0.0, 0.0]),
        "psf_fwhm": np.full(4, 0.8),
    }
    columns["theta_E_predicted"] = columns["theta_E"]
    return columns | {name: np.zeros(4) for name in ("e1", "e2", "e1_predicted", "e2_predicted")}


def values(table, name, figure):
    return [each[figure]["value"] for each in strata(table, RANGES)[name]]


def test_auroc_is_against_all_that_are_no_lenses(table):
    nan = math.nan
    assert values(table, "source_snr", "auroc") == pytest.approx([nan, 0.5, 1.0, nan], nan_ok=True)
    by_radius = values(table, "theta_E_over_fwhm", "auroc")
    assert by_radius == pytest.approx([nan, nan, 0.5, nan, 1.0], nan_ok=True)


def test_pictures_are_means_of_the_stratums_lenses(table):
    table["ssim_source_chained"] = np.array([0.7, 0.9, 0.1, 0.2])
    table["display_psnr_denoised"] = np.array([30.0, 40.0, np.inf, 10.0])
    assert values(table, "source_snr", "ssim_source_chained_mean")[1:3] == [0.7, 0.9]
    assert values(table, "source_snr", "display_psnr_denoised_mean")[1:3] == [30.0, 40.0]


def test_counter_images_too_faint_to_be_seen_are_not_asked_for(table):
    table["counter_image_snr"] = np.array([4.0, 9.0, np.nan, np.nan])
    table["counter_image_flux_ratio_chained"] = np.array([0.0, 0.8, np.nan, np.nan])
    kept = [each["counter_images_kept"] for each in strata(table, RANGES)["source_snr"]]
    assert [each["n"] for each in kept] == [0, 0, 1, 0]
    assert kept[2]["value"] == 1.0


def test_a_table_without_pictures_or_fluxes_has_no_figures_of_them(table):
    for name in EDGES:
        for each in strata(table, RANGES)[name]:
            assert set(each) == {"from", "to", "completeness", "auroc", "mae"}
