"""Reading stamps of FITS files, one object at a time, and folders of them."""

import numpy as np
import pytest
from astropy.io import fits
from stamp_files import (
    GRI,
    SCALE,
    SHAPE,
    SIGMA,
    assert_bands,
    failure,
    galaxy,
    gaussian,
    read_all,
    sky,
    stamp,
    write,
)

from lensmill.survey.stamps import Reading, describe, find_objects

# One FITS file per object


@pytest.mark.parametrize("case", [str.upper, str.lower, str.title])
@pytest.mark.parametrize(("kind", "power"), [("var", 2), ("rms", 1), ("wht", -2)])
def test_named_hdus(tmp_path, case, kind, power):
    images, names = [], []
    for band in "irg":
        images += [galaxy(band), np.full(SHAPE, SIGMA[band] ** float(power)), gaussian(4.0)]
        names += [case(f"{band}_{what}") for what in ("sci", kind, "psf")]
    write(tmp_path / "gal.fits", *images, names=names)
    item = stamp(tmp_path)
    assert_bands(item)
    np.testing.assert_allclose(item.sky_sigma, [SIGMA[band] for band in GRI], rtol=1e-5)
    np.testing.assert_allclose(item.psf_fwhm, 4.0 * SCALE, rtol=0.02)
    assert item.flags == ()
    assert (item.id, item.source) == ("gal", "gal.fits")


def test_bands_of_several_words_and_of_no_kind(tmp_path):
    names = ("VIS_SCI", "NIR_Y_SCI", "NIR_H_SCI")
    write(tmp_path / "a.fits", galaxy("g"), galaxy("r"), galaxy("i"), names=names)
    item = stamp(tmp_path, bands=("NIR_H", "vis"))
    np.testing.assert_allclose(item.image, [galaxy("i"), galaxy("g")], rtol=1e-5, atol=1e-4)
    assert "has VIS, NIR_Y, NIR_H" in failure(tmp_path, "missing_band")


def test_hdus_named_by_the_band_alone(tmp_path):
    write(tmp_path / "a.fits", galaxy("r"), galaxy("i"), galaxy("g"), names=("R", "I", "HSC-G"))
    assert_bands(stamp(tmp_path))


def test_hdus_named_by_their_filter(tmp_path):
    headers = [sky() for _ in range(3)]
    for header, text in zip(
        headers, ("i DECam SDSS c0003 7835.0 1470.0", "g", "HSC-R"), strict=True
    ):
        header["FILTER"] = text
    write(tmp_path / "a.fits", galaxy("i"), galaxy("g"), galaxy("r"), headers=headers)
    assert_bands(stamp(tmp_path))


def test_unnamed_hdus_are_taken_in_order_and_flagged(tmp_path):
    write(tmp_path / "a.fits", galaxy("g"), galaxy("r"), galaxy("i"))
    item = stamp(tmp_path)
    assert_bands(item)
    assert item.flags == ("bands_by_position", "psf_assumed", "sky_sigma_estimated")


def test_one_header_copied_to_every_hdu_names_no_band(tmp_path):
    header = sky()
    header["BAND"], header["EXTNAME"] = "i", "SCI"
    write(tmp_path / "a.fits", galaxy("g"), galaxy("r"), galaxy("i"), headers=[header] * 3)
    assert_bands(stamp(tmp_path))


def test_hdu_numbers_choose_among_unnamed_images(tmp_path):
    others = [np.zeros(SHAPE, np.float32)] * 4
    images = [
        image for band, other in zip("griz", others, strict=True) for image in (galaxy(band), other)
    ]
    write(tmp_path / "a.fits", *images)
    reason = failure(tmp_path, "ambiguous_bands")
    assert "8 images" in reason
    assert "hdus" in reason
    assert_bands(stamp(tmp_path, hdus=(0, 2, 4)))
    assert "HDU 9 (band i)" in failure(tmp_path, "missing_band", hdus=(0, 2, 9))


def test_psf_files_beside_are_no_objects(tmp_path):
    for number in (11, 12):
        write(tmp_path / f"DES_{number}.fits", *(galaxy(band, number) for band in GRI))
        write(
            tmp_path / f"DES_PSF{number}.fits", *(gaussian(3.0 + b, 21 + 2 * b) for b in range(3))
        )
    items = read_all(tmp_path)
    assert [item.id for item in items] == ["DES_11", "DES_12"]
    for item, number in zip(items, (11, 12), strict=True):
        assert_bands(item, seed=number)
        np.testing.assert_allclose(item.psf_fwhm, [0.6, 0.8, 1.0], rtol=0.02)
        assert "psf_assumed" not in item.flags


def test_a_psf_without_its_image(tmp_path):
    write(tmp_path / "a_psf.fits", gaussian(3.0))
    assert "only psf" in failure(tmp_path, "no_image")


def test_compressed_and_integer_images(tmp_path):
    hdus = [fits.PrimaryHDU()]
    for band in GRI:
        counts = np.round(galaxy(band) * 8).astype(np.int16)
        counts[3, 4] = -32768
        hdu = fits.CompImageHDU(counts, sky(), name=band)
        hdu.header["BLANK"] = -32768
        hdus.append(hdu)
    fits.HDUList(hdus).writeto(tmp_path / "a.fits")
    item = stamp(tmp_path)
    good = ~item.bad
    assert (~good).sum() == 3
    expected = np.round(np.stack([galaxy(band) for band in GRI]) * 8)
    np.testing.assert_allclose(item.image[good], expected[good])


# Cubes of bands


def test_a_cube_with_its_bands_in_the_header(tmp_path):
    header = sky() + fits.Header({"BANDS": "igr", "BAND0": "i", "BAND1": "g", "BAND2": "r"})
    write(tmp_path / "a.fits", np.stack([galaxy(band) for band in "igr"]), headers=[header])
    assert_bands(stamp(tmp_path))
    assert stamp(tmp_path).ra == pytest.approx(150)


def test_a_cube_of_other_bands_says_which_it_has(tmp_path):
    header = sky() + fits.Header({"BANDS": "grz"})
    write(tmp_path / "a.fits", np.stack([galaxy(band) for band in "grz"]), headers=[header])
    assert "no band i; it has g, r, z" in failure(tmp_path, "missing_band")
    assert_bands(stamp(tmp_path, bands=("z", "r")), ("z", "r"))


def test_a_cube_without_names_is_taken_in_order(tmp_path):
    cube = np.stack([galaxy(band) for band in GRI])
    write(tmp_path / "a.fits.gz", cube)
    write(tmp_path / "a_rms.fits", np.ones_like(cube) * np.array([2, 3, 5])[:, None, None])
    write(tmp_path / "a_psf.fits", np.stack([gaussian(4.0)] * 3))
    item = stamp(tmp_path)
    assert_bands(item)
    assert item.flags == ("bands_by_position",)
    np.testing.assert_allclose(item.sky_sigma, [2, 3, 5])
    assert "3 images" in failure(tmp_path, "missing_band", bands=("u", "g", "r", "i"))
    assert "3 images" in failure(tmp_path, "ambiguous_bands", bands=("g", "r"))


# One FITS file per object and band


@pytest.mark.parametrize("name", ["{id}_{band}_sci.fits", "{id}_{band}.fits.gz", "{id}-{band}.fit"])
def test_files_per_band(tmp_path, name):
    for number in (1, 2):
        for band in GRI:
            write(tmp_path / "in" / name.format(id=f"J{number}", band=band), galaxy(band, number))
            weight = np.full(SHAPE, SIGMA[band] ** -2)
            write(tmp_path / "in" / f"J{number}_{band}_wht.fits", weight)
            write(tmp_path / "in" / f"J{number}_{band}_psf.fits", gaussian(4.0))
    (tmp_path / "in" / "J1_z.fits").write_text("a band that nobody asks for may be broken")
    items = read_all(tmp_path)
    assert [item.id for item in items] == ["in/J1", "in/J2"]
    for number, item in enumerate(items, 1):
        assert_bands(item, seed=number)
        assert item.flags == ()
        np.testing.assert_allclose(item.sky_sigma, [2, 3, 5], rtol=1e-5)


def test_a_file_of_a_band_that_is_missing(tmp_path):
    for band in ("g", "i", "z"):
        write(tmp_path / f"a_{band}.fits", galaxy(band))
    assert "no band r; it has g, i, z" in failure(tmp_path, "missing_band")


def test_a_file_per_band_with_image_mask_and_variance(tmp_path):
    for band in GRI:
        images = (galaxy(band), np.ones(SHAPE, np.int32), np.full(SHAPE, SIGMA[band] ** 2))
        write(tmp_path / f"a_{band}.fits", *images, names=("IMAGE", "MASK", "VARIANCE"))
    item = stamp(tmp_path)
    assert_bands(item)
    assert not item.bad.any()
    np.testing.assert_allclose(item.sky_sigma, [2, 3, 5])


def test_images_in_one_row_tables(tmp_path):
    for band in GRI:
        column = fits.Column(
            "image", f"{SHAPE[0] * SHAPE[1]}E", dim=str(SHAPE[::-1]), array=[galaxy(band)]
        )
        table = fits.BinTableHDU.from_columns([fits.Column("id", "J", array=[7]), column])
        table.writeto(tmp_path / f"D1_L0000007_{band}.fits")
    assert_bands(stamp(tmp_path, pixel_scale=0.2))


def test_one_file_may_be_named(tmp_path):
    for number in (1, 2):
        for band in GRI:
            write(tmp_path / f"J{number}_{band}.fits", galaxy(band, number))
    assert_bands(stamp(tmp_path / "J2_r.fits"), seed=2)


# Folders and options


def test_what_is_no_folder_of_images(tmp_path):
    with pytest.raises(ValueError, match="no such file or folder"):
        find_objects(tmp_path / "absent", Reading())
    with pytest.raises(ValueError, match="the folder is empty"):
        find_objects(tmp_path, Reading())
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "cutout.jpg").write_text("")
    with pytest.raises(ValueError, match=r"found 1 × \.\w+, 1 × \.\w+\. Supported: FITS"):
        find_objects(tmp_path, Reading())


@pytest.mark.parametrize(
    "options",
    [
        {"bands": ()},
        {"bands": ("g", "g")},
        {"pixel_scale": 0.0},
        {"psf_fwhm": (0.8,)},
        {"psf_fwhm": (0.8, 0.0, 0.7)},
        {"hdus": (1, 2)},
    ],
)
def test_readings_that_make_no_sense(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        Reading(**options)


def test_describe_says_how_each_layout_is_read(tmp_path):
    write(tmp_path / "a.fits", *(galaxy(band) for band in GRI), names=GRI)
    for band in GRI:
        write(tmp_path / "cubes" / f"{band}.fits", np.stack([galaxy(band)] * 4))
        write(tmp_path / f"b_{band}_sci.fits", galaxy(band))
        write(tmp_path / f"b_{band}_rms.fits", np.full(SHAPE, SIGMA[band]))
        write(tmp_path / f"b_{band}_psf.fits", gaussian(4.0))
    np.save(tmp_path / "bad.npy", np.zeros(3))
    by_layout = {item.example: item for item in describe(tmp_path, Reading())}
    assert sorted(by_layout) == ["a.fits", "b_g_sci.fits", "bad.npy", "cubes/g.fits"]
    assert by_layout["a.fits"].bands_from == "EXTNAME"
    assert by_layout["a.fits"].shape == SHAPE
    assert by_layout["cubes/g.fits"].objects == 4
    per_band = by_layout["b_g_sci.fits"]
    assert per_band.bands_from == "file name"
    assert set(per_band.bands_found) == set(GRI)
    assert per_band.variance_found
    assert per_band.psf_found
    assert per_band.pixel_scale == pytest.approx(SCALE)
    assert "not 1-D" in by_layout["bad.npy"].problem
    assert "cannot be read" in str(by_layout["bad.npy"])
    assert "shape: 40×47 pixels (y×x) of 0.2″" in str(per_band)
