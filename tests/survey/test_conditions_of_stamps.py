"""Pixel scale, position, PSF width, bad pixels and background of the stamps that are read."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from stamp_files import GRI, SCALE, SHAPE, SIGMA, failure, galaxy, stamp, write

from lensmill.physics.surveys import preset


@pytest.mark.parametrize(
    "header", [{}, {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN"}, {"CTYPE1": "x"}]
)
def test_pixel_scale_from_wcs_option_survey_or_not_at_all(tmp_path, header):
    headers = [fits.Header(header)] * 3
    write(tmp_path / "a.fits", *(galaxy(band) for band in GRI), headers=headers)
    assert "pixel_scale" in failure(tmp_path, "no_pixel_scale")
    given = stamp(tmp_path, pixel_scale=0.3)
    assert (given.pixel_scale, given.wcs_header, given.ra, given.dec) == (0.3, None, None, None)
    assert "pixel_scale_given" in given.flags
    assumed = stamp(tmp_path, survey=preset("hsc_wide"))
    assert assumed.pixel_scale == 0.168
    assert "pixel_scale_assumed" in assumed.flags


def test_position_and_wcs(tmp_path):
    write(tmp_path / "a.fits", *(galaxy(band) for band in GRI))
    item = stamp(tmp_path)
    assert item.pixel_scale == pytest.approx(SCALE)
    assert (item.ra, item.dec) == (pytest.approx(150), pytest.approx(2))
    assert WCS(item.wcs_header).wcs_world2pix([[150, 2]], 0)[0] == pytest.approx([23, 19.5])


def test_fwhm_given_from_the_survey_or_assumed(tmp_path):
    write(tmp_path / "a.fits", *(galaxy(band) for band in GRI))
    np.testing.assert_allclose(stamp(tmp_path).psf_fwhm, 0.9)
    item = stamp(tmp_path, survey=preset("hsc_wide"))
    np.testing.assert_allclose(item.psf_fwhm, [0.79, 0.75, 0.61])
    assert "psf_assumed" in item.flags
    item = stamp(tmp_path, survey=preset("hsc_wide"), psf_fwhm=(1.0, 1.1, 1.2))
    np.testing.assert_allclose(item.psf_fwhm, [1.0, 1.1, 1.2])
    assert "psf_given" in item.flags


def test_bad_pixels_are_filled_and_recorded(tmp_path):
    images = {band: galaxy(band) for band in GRI}
    images["g"][5:8, 30:33] = np.nan
    images["r"][2, 3] = np.inf
    images["g"][5:8, 33] = -3.4e38
    images["i"][:, :2] = 0
    variance = np.ones((3, *SHAPE)) * np.array([4, 9, 25])[:, None, None]
    variance[0, 20, 20] = 0
    images["g"][20, 20] = 1e7
    planes = [image for band, v in zip(GRI, variance, strict=True) for image in (images[band], v)]
    names = [f"{band}_{kind}" for band in GRI for kind in ("sci", "var")]
    write(tmp_path / "a.fits", *planes, names=names)
    item = stamp(tmp_path)
    assert item.bad.sum((1, 2)).tolist() == [13, 1, 2 * SHAPE[0]]
    assert item.bad[0, 20, 20]
    assert np.isfinite(item.image).all()
    assert item.image[0].max() < 300
    assert abs(item.image[0, 5:8, 30:34]).max() < 3 * SIGMA["g"]
    assert "bad_pixels_filled" in item.flags


def test_a_sky_pedestal_is_subtracted_and_flagged(tmp_path):
    write(tmp_path / "a.fits", *(galaxy(band) + 1000 for band in GRI))
    item = stamp(tmp_path)
    assert "background_subtracted" in item.flags
    np.testing.assert_allclose(item.sky_sigma, [2, 3, 5], rtol=0.15)
    galaxies = np.stack([galaxy(band) for band in GRI])
    assert (abs(item.image - galaxies).max((1, 2)) < 0.4 * item.sky_sigma).all()


def test_a_weight_map_that_is_no_inverse_variance_is_not_believed(tmp_path):
    for band in GRI:
        write(tmp_path / f"a_{band}.fits", galaxy(band))
        write(tmp_path / f"a_{band}_wht.fits", np.full(SHAPE, 900.0))
    item = stamp(tmp_path)
    assert {"stated_noise_disagrees", "sky_sigma_estimated"} <= set(item.flags)
    np.testing.assert_allclose(item.sky_sigma, [2, 3, 5], rtol=0.2)
