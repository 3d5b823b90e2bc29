"""What is wrong with an object is said, and the others are read."""

import gzip

import numpy as np
import pytest
from astropy.io import fits
from stamp_files import GRI, SCALE, SHAPE, failure, galaxy, many, only, read_all, sky, stamp, write

from lensmill.survey.stamps import MIN_SIDE, Reading, Stamp, Unreadable, describe


def test_one_broken_file_does_not_stop_the_rest(tmp_path):
    write(tmp_path / "a.fits", *(galaxy(band) for band in GRI))
    whole = (tmp_path / "a.fits").read_bytes()
    (tmp_path / "b.fits").write_bytes(whole[: len(whole) - 6000])
    (tmp_path / "c.fits").write_text("SIMPLE text, no FITS\n" * 200)
    (tmp_path / "d.fits").write_bytes(b"")
    (tmp_path / "e.fits.gz").write_bytes(gzip.compress(whole, mtime=0)[:9000])
    fits.BinTableHDU.from_columns([fits.Column("x", "E", array=[1.0])]).writeto(tmp_path / "f.fits")
    write(tmp_path / "g_.fits", *(galaxy(band) for band in GRI))
    items = read_all(tmp_path)
    flags = [item.flag if isinstance(item, Unreadable) else "" for item in items]
    assert flags == ["", "truncated", "not_fits", "not_fits", "truncated", "no_image", ""]
    assert all(item.source in item.reason for item in items if isinstance(item, Unreadable))


@pytest.mark.parametrize(
    ("change", "flag"),
    [
        (lambda image: np.full_like(image, np.nan), "all_nan"),
        (lambda image: image[:15], "too_small"),
        (lambda image: image[:, : MIN_SIDE - 1], "too_small"),
        (lambda image: np.full_like(image, 3), "zero_variance"),
        (lambda image: np.zeros_like(image), "zero_variance"),
        (lambda image: np.where(np.arange(47) < 25, np.nan, image), "too_many_bad"),
    ],
)
def test_images_of_no_use(tmp_path, change, flag):
    write(tmp_path / "a.fits", *(change(galaxy(band)) for band in GRI))
    failure(tmp_path, flag)


@pytest.mark.parametrize("value", [0, -99, -9999, 99])
def test_edges_of_one_value_are_bad(tmp_path, value):
    images = [galaxy(band) for band in GRI]
    for image in images:
        image[:6] = image[:, -3:] = value
    write(tmp_path / "a.fits", *images)
    item = stamp(tmp_path)
    assert item.bad.sum((1, 2)).tolist() == [6 * 47 + 34 * 3] * 3
    np.testing.assert_allclose(item.sky_sigma, [2, 3, 5], rtol=0.2)


def test_the_smallest_stamp(tmp_path):
    write(tmp_path / "a.fits", *(galaxy(band, shape=(16, 17)) for band in GRI))
    assert stamp(tmp_path).image.shape == (3, 16, 17)


def test_bands_of_unlike_shapes(tmp_path):
    write(tmp_path / "a.fits", galaxy("g"), galaxy("r"), galaxy("i")[1:])
    assert "g 40×47, r 40×47, i 39×47" in failure(tmp_path, "shape_mismatch")


def test_bands_of_unlike_pixels(tmp_path):
    headers = [sky(), sky(), sky(0.3)]
    write(tmp_path / "a.fits", *(galaxy(band) for band in GRI), headers=headers)
    assert "i 0.3000″" in failure(tmp_path, "scale_mismatch")


@pytest.mark.parametrize(
    ("noise", "flag"),
    [
        (np.zeros(SHAPE), "zero_variance"),
        (np.full(SHAPE, np.nan), "zero_variance"),
        (np.ones((9, 9)), "shape_mismatch"),
    ],
)
def test_noise_maps_of_no_use(tmp_path, noise, flag):
    images = [image for band in GRI for image in (galaxy(band), noise)]
    names = [f"{band}_{kind}" for band in GRI for kind in ("sci", "var")]
    write(tmp_path / "a.fits", *images, names=names)
    failure(tmp_path, flag)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, -99.0])
@pytest.mark.parametrize("name", ["psf_fwhm", "pixel_scale"])
def test_conditions_that_are_none(tmp_path, name, value):
    """One object's: the others are read."""
    arrays = {"psf_fwhm": np.full((3, 3), 0.8), "pixel_scale": np.full(3, SCALE)}
    arrays[name][1] = value
    np.savez(tmp_path / "a.npz", image=many(3, "gri"), **arrays)
    first, item, last = read_all(tmp_path)
    assert isinstance(first, Stamp)
    assert isinstance(last, Stamp)
    assert (item.id, item.flag) == ("a_1", "bad_conditions")
    assert f"is {value:g} arcsec" in item.reason


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, -99.0])
def test_options_that_are_no_conditions(value):
    with pytest.raises(ValueError, match=r"psf_fwhm: .* not all positive"):
        Reading(psf_fwhm=(0.8, value, 0.8))
    with pytest.raises(ValueError, match=r"pixel_scale: .* not positive"):
        Reading(pixel_scale=value)


def test_no_corruption_escapes(tmp_path):
    """Random bytes anywhere in headers: a Stamp or an Unreadable, never an exception or warning."""
    rng = np.random.default_rng(3)
    write(tmp_path / "a.fits", *(galaxy(band) for band in GRI), names=GRI)
    whole = np.frombuffer((tmp_path / "a.fits").read_bytes(), np.uint8)
    for _ in range(30):
        blocks = rng.integers(0, len(whole) // 2880, 4)
        broken = whole.copy()
        broken[blocks * 2880 + rng.integers(0, 800, 4)] = rng.integers(32, 127, 4)
        (tmp_path / "a.fits").write_bytes(broken.tobytes())
        assert isinstance(only(tmp_path), Stamp | Unreadable)
        assert describe(tmp_path, Reading())
