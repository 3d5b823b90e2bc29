"""Noise maps and PSFs that nothing names are those of the images that they lie beside."""

import numpy as np
import pytest
from astropy.io import fits
from stamp_files import GRI, SCALE, SHAPE, SIGMA, assert_bands, galaxy, gaussian, stamp, write
from tile_files import INSIDE, cut_all, header, save, tile_image, write_positions
from tile_files import SHAPE as TILE

FWHM = {"g": 3.0, "r": 4.0, "i": 5.0}  # pixels


def variance(band, shape=SHAPE):
    return np.full(shape, SIGMA[band] ** 2, np.float32)


def assert_right(item):
    assert_bands(item)
    np.testing.assert_allclose(item.sky_sigma, [SIGMA[band] for band in GRI], rtol=1e-5)


@pytest.mark.parametrize("order", ["irg", "gri"])
@pytest.mark.parametrize("block", [False, True])
@pytest.mark.parametrize("how", ["EXTNAME", "FILTER", "hdus"])
def test_of_one_file(tmp_path, order, block, how):
    images = [(galaxy(b), b) for b in order]
    noise = [(variance(b), "VARIANCE") for b in order]
    psfs = [(gaussian(FWHM[b]), "PSF") for b in order]
    rows = zip(images, noise, psfs, strict=True)
    every = images + noise + psfs if block else [part for row in rows for part in row]
    hdus = [fits.ImageHDU(data, sky_of(name, how), name=ext(name, how)) for data, name in every]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(tmp_path / "a.fits")
    numbers = tuple(1 + order.index(b) * (1 if block else 3) for b in GRI)
    item = stamp(tmp_path, hdus=numbers if how == "hdus" else None, pixel_scale=SCALE)
    assert_right(item)
    np.testing.assert_allclose(item.psf_fwhm, [FWHM[b] * SCALE for b in GRI], rtol=0.02)


def ext(name, how):
    return name if how == "EXTNAME" or len(name) > 1 else "SCI"


def sky_of(name, how):
    return fits.Header({"FILTER": name} if how == "FILTER" and len(name) == 1 else {})


def test_of_a_cube_whose_bands_are_named(tmp_path):
    cube = fits.ImageHDU(np.stack([galaxy(b) for b in "irg"]), name="SCI")
    cube.header["BANDS"] = "irg"
    weight = fits.ImageHDU(1 / np.stack([variance(b) for b in "irg"]), name="IVAR")
    fits.HDUList([fits.PrimaryHDU(), cube, weight]).writeto(tmp_path / "a.fits")
    assert_right(stamp(tmp_path, pixel_scale=SCALE))


def test_of_three_of_four_images(tmp_path):
    images = [image for b in "zirg" for image in (galaxy(b), variance(b))]
    write(tmp_path / "a.fits", *images, names=["SCI", "VAR"] * 4)
    assert_right(stamp(tmp_path, hdus=(7, 5, 3)))


def test_of_a_file_beside(tmp_path):
    write(tmp_path / "a.fits", *(galaxy(b) for b in "irg"), names="irg")
    write(tmp_path / "a_var.fits", *(variance(b) for b in "irg"))
    assert_right(stamp(tmp_path))


def test_of_files_of_their_own_have_no_order(tmp_path):
    for band in GRI:
        write(tmp_path / f"a_{band}.fits", galaxy(band))
    write(tmp_path / "a_var.fits", *(variance(b) for b in GRI))
    assert "sky_sigma_estimated" in stamp(tmp_path).flags


@pytest.mark.parametrize("count", [1, 2, 4])
def test_more_or_fewer_than_images_are_nobodys(tmp_path, count):
    noise = [variance("z")] * count
    names = [*"irg", *["VARIANCE"] * count]
    write(tmp_path / "a.fits", *(galaxy(b) for b in "irg"), *noise, names=names)
    assert "sky_sigma_estimated" in stamp(tmp_path).flags


def test_of_a_tile(tmp_path):
    hdus = [
        fits.ImageHDU(data, header(), name=name)
        for b in "irg"
        for data, name in ((tile_image(b), b), (variance(b, TILE), "VARIANCE"))
    ]
    save(tmp_path / "tiles/t.fits", *hdus)
    items = cut_all(tmp_path / "tiles", write_positions(tmp_path / "p.csv", INSIDE))
    np.testing.assert_allclose(items["p1"].sky_sigma, [SIGMA[b] for b in GRI], rtol=1e-5)
