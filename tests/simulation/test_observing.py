"""Observing: conditions within their ranges, and noise that follows from them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from lensmill.physics.surveys import PRESETS, preset
from lensmill.simulation.observing import Observing

SURVEY = preset("lsst_10year")
INDICES = torch.arange(2000)
VARIED = Observing(SURVEY, (0.6, 1.1), (0.02, 1.5), band_scatter=0.05, sky_scatter=0.2)

WINGED = replace(VARIED, moffat=(2.5, 4.5), psf_ellipticity=0.05)
MADE_OF_VISITS = Observing(SURVEY, depth=(0.02, 1.5), visits=True)


def tensors(part):
    """All tensors of the conditions, their PSF's included."""
    if part is None or isinstance(part, torch.Tensor):
        return [] if part is None else [part]
    return [tensor for value in vars(part).values() for tensor in tensors(value)]


def _depth(conditions):
    """Visits relative to the survey's, (batch, band), from the zero points."""
    own = torch.tensor([band.total_zero_point() for band in SURVEY.bands.values()])
    return 10 ** (0.4 * (conditions.zero_point - own))


@pytest.mark.parametrize("name", PRESETS)
def test_without_ranges_the_conditions_are_the_surveys(name):
    survey = preset(name)
    conditions = Observing(survey).draw(3, INDICES[:4], survey.pixel_scale)
    for column, band in enumerate(survey.bands.values()):
        variance = band.sky(survey.pixel_scale) + band.visits * band.reads * band.read_noise**2
        expected = {
            "psf_fwhm": band.psf_fwhm,
            "zero_point": band.total_zero_point(),
            "sky_sigma": variance**0.5,
        }
        for quantity, value in expected.items():
            np.testing.assert_allclose(getattr(conditions, quantity)[:, column], value, rtol=1e-5)


def test_shapes_and_bands():
    two = replace(SURVEY, bands={name: SURVEY.bands[name] for name in ("i", "g")})
    assert Observing(two).bands == ("i", "g")
    conditions = replace(VARIED, survey=two).draw(3, INDICES[:5], 0.2)
    assert conditions.psf is None
    for value in tensors(conditions):
        assert value.shape == (5, 2)
        assert value.dtype == torch.float32


def test_seeing_is_uniform_in_its_range_and_shared_by_the_bands():
    fwhm = Observing(SURVEY, psf_fwhm=(0.6, 1.1)).draw(3, INDICES, 0.2).psf_fwhm
    assert torch.equal(fwhm, fwhm[:, :1].expand(-1, 3))
    assert kstest(fwhm[:, 0], "uniform", (0.6, 0.5)).pvalue > 1e-3


def test_depth_is_log_uniform_in_its_range_and_shared_by_the_bands():
    depth = _depth(Observing(SURVEY, depth=(0.02, 1.5)).draw(3, INDICES, 0.2))
    torch.testing.assert_close(depth, depth[:, :1].expand(-1, 3), rtol=1e-4, atol=0)
    assert kstest(depth[:, 0].log(), "uniform", (np.log(0.02), np.log(75))).pvalue > 1e-3


def test_seeing_tells_nothing_of_the_depth():
    conditions = VARIED.draw(3, INDICES, 0.2)
    pair = torch.stack([conditions.psf_fwhm.mean(1), _depth(conditions)[:, 0].log()])
    assert torch.corrcoef(pair)[0, 1].abs() < 0.08


def test_bands_scatter_about_the_shared_seeing():
    scattered = replace(VARIED, band_scatter=0.05).draw(3, INDICES, 0.2)
    shared = replace(VARIED, band_scatter=0.0).draw(3, INDICES, 0.2)
    deviation = (scattered.psf_fwhm / shared.psf_fwhm).log() / 0.05
    assert kstest(deviation.flatten(), "norm").pvalue > 1e-3
    assert (torch.corrcoef(deviation.T) - torch.eye(3)).abs().max() < 0.08


def test_sky_brightness_scatters_per_band():
    """In mag, of the sky's part of the variance."""
    scattered, dark = (
        replace(VARIED, sky_scatter=scatter).draw(3, INDICES, 0.2) for scatter in (0.2, 0.0)
    )
    bands = SURVEY.bands.values()
    read = torch.tensor([band.visits * band.reads * band.read_noise**2 for band in bands])
    sky, expected = (each.sky_sigma**2 - _depth(each) * read for each in (scattered, dark))
    deviation = -2.5 * (sky / expected).log10() / 0.2
    assert kstest(deviation.flatten(), "norm").pvalue > 1e-3
    assert (torch.corrcoef(deviation.T) - torch.eye(3)).abs().max() < 0.08


def test_sky_tells_nothing_of_the_seeing():
    """Both scatter by band, each by itself."""
    conditions = Observing(SURVEY, band_scatter=0.05, sky_scatter=0.2).draw(3, INDICES, 0.2)
    found = torch.corrcoef(torch.cat([conditions.psf_fwhm, conditions.sky_sigma], 1).T)
    assert (found - torch.eye(6)).abs().max() < 0.08


def test_sky_grows_with_the_area_of_a_pixel():
    """σ² = sky · area + read noise, so its differences are those of the areas."""
    first, second, third = (
        VARIED.draw(3, INDICES, scale).sky_sigma ** 2 for scale in (0.1, 0.2, 0.4)
    )
    torch.testing.assert_close(third - second, 4 * (second - first), rtol=1e-3, atol=0)
    assert (first > 0).all()


def test_pixel_scale_changes_the_noise_alone():
    fine, coarse = (VARIED.draw(3, INDICES, scale) for scale in (0.1, 0.4))
    assert torch.equal(fine.psf_fwhm, coarse.psf_fwhm)
    assert torch.equal(fine.zero_point, coarse.zero_point)
    assert (coarse.sky_sigma > fine.sky_sigma).all()


def test_noise_grows_with_the_root_of_the_depth():
    varied = Observing(SURVEY, depth=(0.02, 1.5)).draw(3, INDICES, 0.2)
    own = Observing(SURVEY).draw(3, INDICES, 0.2)
    torch.testing.assert_close(
        varied.sky_sigma, own.sky_sigma * _depth(varied).sqrt(), rtol=1e-4, atol=0
    )


@pytest.mark.parametrize("chosen", [[5], [3, 5, 9], range(4, 17)])
@pytest.mark.parametrize(
    "observing", [VARIED, WINGED, MADE_OF_VISITS], ids=["", "moffat", "visits"]
)
def test_conditions_depend_on_seed_and_index_alone(chosen, observing):
    whole = observing.draw(3, INDICES[:20], 0.2)
    part = observing.draw(3, torch.tensor(list(chosen)), 0.2)
    other = observing.draw(4, torch.tensor(list(chosen)), 0.2)
    for value, same, differs in zip(*map(tensors, (part, whole, other)), strict=True):
        assert torch.equal(value, same[list(chosen)])
        assert not torch.isin(value, differs).any()


def test_moffats_are_drawn_from_their_range():
    """β uniform and e1, e2 normal, band by band; seeing and noise as without."""
    conditions = WINGED.draw(3, INDICES, 0.2)
    psf = conditions.psf
    assert kstest(psf.beta.flatten(), "uniform", (2.5, 2.0)).pvalue > 1e-3
    for each in (psf.e1, psf.e2):
        assert kstest(each.flatten(), "norm", (0, 0.05)).pvalue > 1e-3
    together = torch.cat([psf.beta, psf.e1, psf.e2, conditions.psf_fwhm[:, :1]], 1)
    assert (torch.corrcoef(together.T) - torch.eye(10)).abs().max() < 0.09
    for value, same in zip(
        tensors(VARIED.draw(3, INDICES, 0.2)), tensors(conditions), strict=False
    ):
        assert torch.equal(value, same)


def test_no_psf_is_a_needle():
    psf = replace(WINGED, psf_ellipticity=0.4).draw(3, INDICES, 0.2).psf
    size = torch.hypot(psf.e1, psf.e2)
    assert size.max() <= 0.5 + 1e-6
    assert 0.1 < (size > 0.499).float().mean() < 0.6


@pytest.mark.parametrize("observing", [VARIED, MADE_OF_VISITS, Observing(SURVEY)])
def test_seeing_is_a_factor_on_every_fwhm_and_on_nothing_else(observing):
    few = INDICES[:50]
    plain, worse = (replace(observing, seeing=factor).draw(3, few, 0.2) for factor in (1.0, 1.2))
    torch.testing.assert_close(worse.psf_fwhm, 1.2 * plain.psf_fwhm)
    assert torch.equal(worse.sky_sigma, plain.sky_sigma)
    assert replace(observing, seeing=1.2).sharpest == pytest.approx(1.2 * observing.sharpest)
