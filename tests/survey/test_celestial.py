"""What headers say of the sky: whether bands show the same, and where it is."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from stamp_files import GRI, SCALE, SHAPE, failure, galaxy, sky, stamp, write

from lensmill.survey.celestial import celestial


def shifted(x=0.0, angle=0.0):
    header = sky()
    header["CRPIX1"] += x
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return header + fits.Header({"PC1_1": cos, "PC1_2": -sin, "PC2_1": sin, "PC2_2": cos})


def write_bands(path, last, others=None):
    headers = [others or sky(), others or sky(), last]
    write(path / "a.fits", *(galaxy(band) for band in GRI), headers=headers)


@pytest.mark.parametrize(("x", "expected"), [(0.1, False), (-0.5, True), (0.9, True)])
def test_bands_beside_each_other_are_flagged(tmp_path, x, expected):
    write_bands(tmp_path, shifted(x))
    assert ("bands_shifted" in stamp(tmp_path).flags) == expected


@pytest.mark.parametrize(
    ("x", "angle", "words"),
    [(4.0, 0, "up to 4.0 pixels"), (0, 90, "corners"), (0, 180, "corners"), (0, 10, "corners")],
)
def test_bands_of_another_sky(tmp_path, x, angle, words):
    write_bands(tmp_path, shifted(x, angle))
    reason = failure(tmp_path, "wcs_mismatch")
    assert "bands g and i" in reason
    assert words in reason


def test_a_given_pixel_scale_goes_before_those_of_the_bands(tmp_path):
    write_bands(tmp_path, sky(0.3))
    item = stamp(tmp_path, pixel_scale=0.25)
    assert item.pixel_scale == 0.25
    assert "pixel_scale_given" in item.flags


def test_pixels_that_are_not_square(tmp_path):
    header = sky()
    header["CDELT2"] *= 2
    write_bands(tmp_path, header, header)
    assert "one side is 2.000 of the other" in failure(tmp_path, "pixels_not_square")
    assert stamp(tmp_path, pixel_scale=SCALE).pixel_scale == SCALE


@pytest.mark.parametrize(
    ("cards", "frame"),
    [
        ({"CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN"}, "galactic"),
        ({"RADESYS": "FK4", "EQUINOX": 1950.0}, "fk4"),
        ({"RADESYS": "FK5", "EQUINOX": 2000.0}, "fk5"),
        ({"RADESYS": "J2000"}, "icrs"),
    ],
)
def test_positions_are_icrs(cards, frame):
    header = sky()
    header.update(cards)
    found = celestial(header, SHAPE)
    expected = SkyCoord(150.0, 2.0, unit="deg", frame=frame).icrs
    there = SkyCoord(found.ra, found.dec, unit="deg")
    assert expected.separation(there).arcsec < 0.05
    x, y = found.pixels(np.array([found.ra]), np.array([found.dec]))
    np.testing.assert_allclose([x[0], y[0]], [(SHAPE[1] - 1) / 2, (SHAPE[0] - 1) / 2], atol=1e-3)
