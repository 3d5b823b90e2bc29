"""Reading cubes and arrays of many objects."""

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
    many,
    only,
    read_all,
    stamp,
    write,
    write_hdf5,
)

from lensmill.survey.stamps import Reading, Stamp, count_objects, find_objects


@pytest.mark.parametrize("suffix", [".fits", ".fits.gz"])
def test_a_cube_of_objects_per_band(tmp_path, suffix):
    for band in (*GRI, "z"):
        cube = np.stack([galaxy(band, number) for number in range(11)])
        write(tmp_path / "many" / f"{band}{suffix}", cube, headers=[fits.Header()])
        write(tmp_path / "many" / f"{band}_var{suffix}", np.full_like(cube, SIGMA[band] ** 2))
        write(tmp_path / "many" / f"{band}_psf{suffix}", gaussian(4.0))
    (entry,) = find_objects(tmp_path, Reading())
    assert count_objects(entry) == 11
    items = read_all(tmp_path, pixel_scale=SCALE)
    assert [item.id for item in items[:2]] == ["many_00", "many_01"]
    for number, item in enumerate(items):
        assert_bands(item, seed=number)
        np.testing.assert_allclose(item.sky_sigma, [2, 3, 5])
        np.testing.assert_allclose(item.psf_fwhm, 0.8, rtol=0.02)
    assert "no file of band y" in failure(tmp_path, "missing_band", bands=("g", "y"))


def test_a_folder_per_object_with_a_file_per_band(tmp_path):
    for number in (1, 2):
        for band in GRI:
            write(tmp_path / f"obj{number}" / f"{band}.fits", galaxy(band, number))
    items = read_all(tmp_path)
    assert [item.id for item in items] == ["obj1", "obj2"]
    for number, item in enumerate(items, 1):
        assert_bands(item, seed=number)


def test_cubes_of_unlike_shapes(tmp_path):
    for band, count in zip(GRI, (2, 2, 3), strict=True):
        write(tmp_path / f"{band}.fits", np.stack([galaxy(band)] * count))
    assert "i 3×40×47" in failure(tmp_path, "shape_mismatch")


def test_one_objects_trouble_in_a_cube_is_its_own(tmp_path):
    """The last noise map is missing."""
    for band in GRI:
        cube = np.stack([galaxy(band, number) for number in range(3)])
        write(tmp_path / "many" / f"{band}.fits", cube)
        write(tmp_path / "many" / f"{band}_var.fits", np.full_like(cube[:2], SIGMA[band] ** 2))
    *good, bad = read_all(tmp_path)
    assert all(isinstance(item, Stamp) for item in good)
    assert [item.id for item in (*good, bad)] == ["many_0", "many_1", "many_2"]
    assert bad.flag == "unreadable"
    assert "out of bounds" in bad.reason


def test_one_objects_trouble_in_an_array_is_its_own(tmp_path):
    """The last is empty; one id is no text, which is no trouble."""
    image = many(3, "gri")
    image[2] = np.nan
    np.savez(tmp_path / "a.npz", image=image, ids=np.array([b"p", b"\xff", b"q"]))
    *good, bad = read_all(tmp_path, pixel_scale=SCALE)
    assert [item.id for item in good] == ["p", "\ufffd"]
    assert all(isinstance(item, Stamp) for item in good)
    assert (bad.id, bad.flag) == ("q", "all_nan")


@pytest.mark.parametrize("ids", [["p", "q"], ["p", "q", "r", "s"]])
def test_ids_are_as_many_as_objects(tmp_path, ids):
    np.savez(tmp_path / "a.npz", image=many(3, "gri"), ids=ids)
    reason = failure(tmp_path, "bad_sidecar", pixel_scale=SCALE)
    assert f"{len(ids)} ids for 3 objects" in reason


@pytest.mark.parametrize(
    ("name", "shape", "choices"),
    [
        ("psf_fwhm", (5,), "(band) or (object, band)"),
        ("sky_sigma", (5,), "(band) or (object, band)"),
        ("psf_fwhm", (4, 3), "of 5 objects and 3 bands"),
        ("psf", (5, 25, 25), "(v, u) or (band, v, u) or (object, band, v, u)"),
        ("psf", (25,), "(v, u)"),
        ("pixel_scale", (1,), "() or (object)"),
        ("ra", (3,), "(object)"),
        ("dec", (), "(object)"),
    ],
)
@pytest.mark.parametrize("suffix", ["npz", "h5"])
def test_values_of_no_shape_that_they_may_be_of(tmp_path, name, shape, choices, suffix):
    arrays = {"image": many(5, "gri"), name: np.ones(shape)}
    if suffix == "npz":
        np.savez(tmp_path / "a.npz", **arrays)
    else:
        write_hdf5(tmp_path / "a.h5", **arrays)
    reason = failure(tmp_path, "bad_sidecar", pixel_scale=SCALE)
    assert f"{name} is of shape {shape}" in reason
    assert choices in reason


@pytest.mark.parametrize("shape", [(25, 25), (3, 25, 25), (5, 3, 25, 25)])
def test_psfs_of_every_shape(tmp_path, shape):
    write_hdf5(tmp_path / "a.h5", image=many(5, "gri"), psf=np.broadcast_to(gaussian(4.0), shape))
    for item in read_all(tmp_path, pixel_scale=SCALE):
        np.testing.assert_allclose(item.psf_fwhm, 0.8, rtol=0.02)


def test_bands_as_one_text(tmp_path):
    np.savez(tmp_path / "a.npz", image=many(2, "zirg"), bands="zirg", pixel_scale=SCALE)
    write_hdf5(tmp_path / "b.h5", image=many(2, "zirg"), bands="zirg", pixel_scale=SCALE)
    for item, seed in zip(read_all(tmp_path), (0, 1, 0, 1), strict=True):
        assert_bands(item, seed=seed)


def test_values_that_are_no_numbers(tmp_path):
    write_hdf5(tmp_path / "a.h5", {"pixel_scale": "0.2 arcsec"}, image=many(2, "gri"))
    assert "pixel_scale = '0.2 arcsec'" in failure(tmp_path, "bad_sidecar")


def test_the_wcs_of_a_cube_is_of_none_of_its_objects(tmp_path):
    for band in GRI:
        write(tmp_path / "many" / f"{band}.fits", np.stack([galaxy(band, n) for n in range(3)]))
    for item in read_all(tmp_path):
        assert (item.ra, item.dec, item.wcs_header) == (None, None, None)
        assert item.pixel_scale == pytest.approx(SCALE)


def test_cubes_beside_their_weights_in_one_file(tmp_path):
    for band in GRI:
        image = np.stack([galaxy(band, number) for number in range(3)])
        weight = np.full_like(image, SIGMA[band] ** -2)
        write(tmp_path / "many" / f"{band}.fits", weight, image, names=("WEIGHT", "SCI"))
    for number, item in enumerate(read_all(tmp_path)):
        assert_bands(item, seed=number)
        np.testing.assert_allclose(item.sky_sigma, [2, 3, 5], rtol=1e-5)


def test_hdf5_with_everything_in_it(tmp_path):
    noisy = many()
    sigma = np.array([SIGMA[band] for band in "zirg"])
    write_hdf5(
        tmp_path / "shard.h5",
        attributes={"bands": ["z", "i", "r", "g"]},
        noisy=noisy,
        sky_sigma=np.tile(sigma, (5, 1)),
        psf_fwhm=np.tile([0.7, 0.75, 0.8, 0.9], (5, 1)),
        pixel_scale=np.full(5, SCALE),
        ids=np.array([b"a", b"b", b"c", b"d", b"e"]),
    )
    items = read_all(tmp_path)
    assert [item.id for item in items] == list("abcde")
    for number, item in enumerate(items):
        assert_bands(item, seed=number)
        assert item.flags == ()
        assert item.pixel_scale == pytest.approx(SCALE)
        np.testing.assert_allclose(item.sky_sigma, [2, 3, 5])
        np.testing.assert_allclose(item.psf_fwhm, [0.9, 0.8, 0.75])


def test_a_noise_stated_in_another_unit_is_not_believed(tmp_path):
    write_hdf5(tmp_path / "a.h5", image=many(1, "gri"), sky_sigma=[200.0, 300.0, 500.0])
    item = stamp(tmp_path, pixel_scale=SCALE)
    assert {"stated_noise_disagrees", "sky_sigma_estimated"} <= set(item.flags)
    np.testing.assert_allclose(item.sky_sigma, [2, 3, 5], rtol=0.2)


def test_hdf5_with_variance_psf_and_sidecar(tmp_path):
    sigma = np.array([SIGMA[band] for band in "zirg"])
    variance = np.broadcast_to(sigma[:, None, None] ** 2, (5, 4, *SHAPE))
    psf = np.stack([gaussian(3.0 + band) for band in range(4)])
    sidecar = {"bands": "zirg", "pixel_scale": SCALE}
    write_hdf5(tmp_path / "x.hdf5", sidecar, image=many().astype(">f8"), variance=variance, psf=psf)
    items = read_all(tmp_path)
    assert [item.id for item in items] == [f"x_{number}" for number in range(5)]
    for number, item in enumerate(items):
        assert_bands(item, seed=number)
        np.testing.assert_allclose(item.sky_sigma, [2, 3, 5])
        np.testing.assert_allclose(item.psf_fwhm, [1.2, 1.0, 0.8], rtol=0.02)


def test_npy_and_npz_with_toml(tmp_path):
    np.save(tmp_path / "one.npy", many(1)[0])
    np.savez(tmp_path / "two.npz", image=many(2), rms=np.ones_like(many(2)) * 4)
    for name in ("one", "two"):
        text = 'bands = ["z", "i", "r", "g"]\npixel_scale = 0.2\npsf_fwhm = 0.8\n'
        (tmp_path / f"{name}.toml").write_text(text)
    items = read_all(tmp_path)
    assert [item.id for item in items] == ["one", "two_0", "two_1"]
    for item, seed in zip(items, (0, 0, 1), strict=True):
        assert_bands(item, seed=seed)
        np.testing.assert_allclose(item.psf_fwhm, 0.8)
    np.testing.assert_allclose(items[1].sky_sigma, 4)


def test_arrays_without_a_sidecar_need_as_many_planes_as_bands(tmp_path):
    np.save(tmp_path / "a.npy", many(2, "gri"))
    items = read_all(tmp_path, pixel_scale=SCALE)
    assert_bands(items[1], seed=1)
    assert "bands_by_position" in items[1].flags
    (entry,) = find_objects(tmp_path, Reading())
    assert count_objects(entry) == 2
    assert "3 bands" in failure(tmp_path, "ambiguous_bands", bands=("g", "r"), pixel_scale=SCALE)


@pytest.mark.parametrize(
    ("sidecar", "flag", "words"),
    [
        ('{"bands": "grz"}', "missing_band", "no band i; it has g, r, z"),
        ('{"bands": "gr"}', "bad_sidecar", "name not the 3"),
        ('{"band": "gri"}', "bad_sidecar", "no key 'band'; choices: bands, pixel_scale"),
        ('{"bands": ', "bad_sidecar", "a.json"),
        ("[1]", "bad_sidecar", "a table of keys"),
    ],
)
def test_sidecars_that_do_not_fit(tmp_path, sidecar, flag, words):
    np.save(tmp_path / "a.npy", many(2, "gri"))
    (tmp_path / "a.json").write_text(sidecar)
    item = only(tmp_path, pixel_scale=SCALE)
    assert item.flag == flag
    assert words in item.reason


def test_arrays_that_are_none(tmp_path):
    for name in ("a.h5", "a.npy", "a.npz"):
        (tmp_path / name).write_text("not an array")
    write_hdf5(tmp_path / "b.h5", clean=many(1))
    np.save(tmp_path / "c.npy", np.zeros((40, 50)))
    np.save(tmp_path / "d.npy", np.array([{}, 1]), allow_pickle=True)
    flags = [item.flag for item in read_all(tmp_path)]
    assert flags == ["not_array", "not_array", "not_array", "no_image", "bad_shape", "not_array"]
    assert all(count_objects(entry) == 1 for entry in find_objects(tmp_path, Reading()))
