"""Width of a PSF, of images whose width is known."""

import numpy as np
import pytest

from lensmill.physics.psf_width import measure_fwhm


def radii(shape, centre, axis_ratio=1.0):
    y, x = np.indices(shape)
    return np.hypot((x - centre[1]) * axis_ratio**0.5, (y - centre[0]) / axis_ratio**0.5)


@pytest.mark.parametrize(("fwhm", "within"), [(2.0, 0.05), (2.7, 0.03), (4.1, 0.01), (8.3, 0.01)])
@pytest.mark.parametrize("offset", [(0.0, 0.0), (0.5, 0.5), (-0.3, 0.2)])
def test_fwhm_of_a_gaussian(fwhm, within, offset):
    radius = radii((31, 35), (15 + offset[0], 17 + offset[1]))
    psf = np.exp(-4 * np.log(2) * (radius / fwhm) ** 2)
    assert measure_fwhm(psf) == pytest.approx(fwhm, rel=within)


@pytest.mark.parametrize("beta", [2.5, 4.765])
@pytest.mark.parametrize("fwhm", [2.5, 4.1, 7.0])
def test_fwhm_of_a_moffat(beta, fwhm):
    core = fwhm / (2 * (2 ** (1 / beta) - 1) ** 0.5)
    psf = (1 + (radii((41, 37), (20.2, 18.1)) / core) ** 2) ** -beta
    assert measure_fwhm(psf) == pytest.approx(fwhm, rel=0.03)


def test_fwhm_of_an_elliptical_psf_is_that_of_the_same_area():
    psf = np.exp(-4 * np.log(2) * (radii((31, 31), (15, 15), axis_ratio=0.8) / 5) ** 2)
    assert measure_fwhm(3e4 * psf) == pytest.approx(5, rel=0.02)


@pytest.mark.parametrize(
    "psf", [np.zeros((9, 11)), np.ones((9, 11)), np.full((9, 11), np.nan), np.eye(9)]
)
def test_what_is_no_psf_has_no_fwhm(psf):
    with pytest.raises(ValueError, match="half-maximum"):
        measure_fwhm(psf)
