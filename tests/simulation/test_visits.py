"""Visits: coadds follow from them, by the laws of means, and from LSST's own spread."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from scipy.stats import kstest

from lensmill.physics.surveys import preset
from lensmill.simulation.observing import Observing
from lensmill.simulation.visits import combine, draw_coadd, mean_width, visit_quantiles

SURVEY = preset("lsst_10year")
BANDS = ("g", "r", "i")
INDICES = torch.arange(2000)


def coadds(visits, seed=3, bands=BANDS, indices=INDICES):
    depths = np.full((len(indices), len(bands)), float(visits))
    return draw_coadd(seed, indices, bands, depths, math.ceil(visits))


@pytest.mark.parametrize("visits", [1.0, 0.3])
def test_a_single_visit_is_one_of_the_tables(visits):
    coadd = coadds(visits)
    assert (np.abs(coadd.visits - visits) < 1e-9).all()
    for column, band in enumerate(BANDS):
        levels, fwhm, sky = visit_quantiles(band)
        for found, quantiles in ((coadd.psf_fwhm, fwhm), (coadd.sky_brightness, sky)):
            level = np.interp(found[:, column], quantiles, levels)
            assert kstest(level, "uniform").pvalue > 1e-3


def test_bands_seeing_and_sky_are_drawn_each_by_itself():
    coadd = coadds(1)
    both = np.concatenate([coadd.psf_fwhm, coadd.sky_brightness], 1)
    assert np.abs(np.corrcoef(both.T) - np.eye(6)).max() < 0.08


def test_widths_scatter_as_those_of_a_mean_do():
    """As 1/√N of as many visits as count; about the same middle once there are some."""
    spread = {n: coadds(n, indices=INDICES[:1000]).psf_fwhm.std(0) for n in (20, 80, 180)}
    np.testing.assert_allclose(spread[20] / spread[80], 2.0, rtol=0.12)
    np.testing.assert_allclose(spread[20] / spread[180], 3.0, rtol=0.12)
    np.testing.assert_allclose(coadds(20).psf_fwhm.mean(0), coadds(80).psf_fwhm.mean(0), rtol=0.02)


def test_equal_visits_are_what_they_are():
    fwhm, sky = np.full((2, 3, 7), 0.8), np.full((2, 3, 7), 21.0)
    exposure = np.broadcast_to([1, 1, 1, 1, 1, 1, 0.5], (2, 3, 7))
    coadd = combine(fwhm, sky, exposure)
    for found, expected in zip(vars(coadd).values(), (0.8, 21.0, 6.5), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_noise_of_a_coadd_is_that_of_inverse_variance_weights():
    """Of the sky, 1/σ² = Σ 1/σ_k²; of objects, Σ w_k² of one visit's variance."""
    sky = np.random.default_rng(4).uniform(19, 22, (2, 3, 9))
    coadd = combine(np.full_like(sky, 0.8), sky, np.ones_like(sky))
    variance = 10 ** (-0.4 * sky)
    found = 10 ** (-0.4 * coadd.sky_brightness) / coadd.visits
    np.testing.assert_allclose(found, 1 / (1 / variance).sum(-1))
    weight = (1 / variance) / (1 / variance).sum(-1, keepdims=True)
    np.testing.assert_allclose(1 / coadd.visits, (weight**2).sum(-1))


@pytest.mark.parametrize(("beta", "within"), [(200.0, 2e-3), (4.5, 0.015), (3.0, 0.02)])
def test_width_of_a_mean_is_where_the_mean_profile_is_half_its_peak(beta, within):
    """Of Gaussians, and near enough of Moffats, in draws of the table's spread."""
    generator = np.random.default_rng(5)
    levels, quantiles, _ = visit_quantiles("g")
    for count in (2, 5, 40):
        fwhm = np.interp(generator.uniform(size=(1, 1, count)), levels, quantiles)
        weight = generator.uniform(0.2, 1, (1, 1, count))

        def brightness(radius, fwhm=fwhm, weight=weight):
            squared = 4 * (2 ** (1 / beta) - 1) * (radius / fwhm) ** 2
            return (weight / fwhm**2 * (1 + squared) ** -beta).sum()

        half = brentq(lambda r, at=brightness: at(r) - at(0.0) / 2, 0.1, 2.0)
        np.testing.assert_allclose(mean_width(fwhm, weight), 2 * half, rtol=within)


def test_a_scene_keeps_its_visits_whatever_is_drawn_beside_it():
    depths = np.full((4, 3), 5.0)
    deep = depths.copy()
    deep[2] = 90.0
    alone, beside = (draw_coadd(3, INDICES[:4], BANDS, d, 90).psf_fwhm for d in (depths, deep))
    assert np.array_equal(alone[[0, 1, 3]], beside[[0, 1, 3]])
    assert (alone[2] != beside[2]).all()
    few = draw_coadd(3, INDICES[:4], BANDS, depths, 5).psf_fwhm
    np.testing.assert_allclose(few, alone, rtol=1e-6)


def test_pixel_scale_changes_the_noise_alone():
    observing = Observing(SURVEY, depth=(0.01, 1.0), visits=True)
    fine, coarse = (observing.draw(3, INDICES[:50], scale) for scale in (0.1, 0.4))
    assert torch.equal(fine.psf_fwhm, coarse.psf_fwhm)
    assert torch.equal(fine.zero_point, coarse.zero_point)
    assert (coarse.sky_sigma > fine.sky_sigma).all()


def test_ten_years_of_visits_come_near_the_surveys_own_noise():
    """Sky noise in flux within half of the preset's, seeing sharper by what FWHMeff adds to it."""
    own, drawn = (
        Observing(SURVEY, visits=visits).draw(3, INDICES[:200], 0.2) for visits in (False, True)
    )
    found, expected = (c.sky_sigma * 10 ** (-0.4 * c.zero_point) for c in (drawn, own))
    assert ((found.mean(0) / expected.mean(0) - 1).abs() < 0.5).all()
    assert ((drawn.psf_fwhm.mean(0) / own.psf_fwhm.mean(0) - 0.89).abs() < 0.03).all()


def test_other_bands_have_no_visits():
    with pytest.raises(ValueError, match="band 'u'; choices: g, r, i"):
        coadds(2, bands=("u", "g"))
