"""PSF libraries: every layout gives the same images, and what is wrong is named."""

import numpy as np
import pytest
import torch
from astropy.io import fits

from lensmill.physics.surveys import preset
from lensmill.simulation.observing import Observing
from lensmill.simulation.psf_library import read_psf_library

BANDS = ("g", "r", "i")
FWHM = np.array([[4.0, 3.5, 3.0], [4.4, 3.9, 3.4]])
"""Pixels, (count, band)."""


def gaussian(fwhm, shape=(25, 27)):
    y, x = (np.arange(n) - (n - 1) / 2 for n in shape)
    return np.exp(-4 * np.log(2) * (y[:, None] ** 2 + x**2) / fwhm**2)


STARS = np.array([[gaussian(fwhm) for fwhm in row] for row in FWHM])


def numpy_stack(path):
    np.save(path / "psf.npy", STARS)
    return path / "psf.npy"


def fits_file(path):
    hdus = [fits.ImageHDU(STARS[:, k], name=band.upper()) for k, band in enumerate(BANDS)]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path / "psf.fits.gz")
    return path / "psf.fits.gz"


def folder(path):
    """One file a star, FITS and NumPy beside each other, smaller where the PSF is."""
    for k, band in enumerate(BANDS):
        np.save(path / f"star1_{band}.npy", STARS[0, k])
        fits.PrimaryHDU(gaussian(FWHM[1, k], (23, 25))).writeto(path / f"star2_{band}.fits")
    (path / "notes_g.txt").write_text("")
    return path


def stacks(path):
    for k, band in enumerate(BANDS):
        np.save(path / f"{band}.npy", STARS[:, k])
    return path


@pytest.mark.parametrize("write", [numpy_stack, fits_file, folder, stacks])
def test_every_layout_is_read(write, tmp_path):
    library = read_psf_library(write(tmp_path), BANDS, 0.2)
    for k in range(3):
        np.testing.assert_allclose(library.images[k], STARS[:, k], atol=1e-6 + (write is folder))
        np.testing.assert_allclose(library.fwhm[k], 0.2 * FWHM[:, k], rtol=0.01)


def test_libraries_are_told_apart_by_what_they_hold(tmp_path):
    library = read_psf_library(numpy_stack(tmp_path), BANDS, 0.2)
    assert library == read_psf_library(fits_file(tmp_path), BANDS, 0.2)
    np.save(tmp_path / "other.npy", STARS[:1])
    other = read_psf_library(tmp_path / "other.npy", BANDS, 0.2)
    assert library != other
    assert repr(library) != repr(other)


def test_every_scene_and_band_draws_one(tmp_path):
    library = read_psf_library(numpy_stack(tmp_path), BANDS, 0.25)
    observing = Observing(preset("lsst_10year"), psf_images=library)
    indices = torch.arange(400)
    conditions = observing.draw(3, indices, 0.2)
    first = torch.isclose(
        conditions.psf_fwhm, library.fwhm[0].new_tensor(0.25 * FWHM[0]), rtol=0.02
    )
    assert ((first.double().mean(0) - 0.5).abs() < 0.1).all()
    assert (torch.corrcoef(first.double().T) - torch.eye(3)).abs().max() < 0.2
    for k in range(3):
        chosen = torch.where(first[:, k], 0, 1)
        assert torch.equal(conditions.psf.image[:, k], library.images[k][chosen])
    assert (conditions.psf.pixel_scale == 0.25).all()
    part = observing.draw(3, indices[7:9], 0.2)
    assert torch.equal(part.psf.image, conditions.psf.image[7:9])


def missing(path):
    return path / "nowhere"


def without_i(path):
    np.save(path / "g.npy", STARS[:, 0])
    np.save(path / "a_r.npy", STARS[:, 1])
    return path


def hdus_without_i(path):
    hdus = [fits.ImageHDU(STARS[:, 0], name="G"), fits.ImageHDU(STARS[:, 1], name="R")]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path / "psf.fits")
    return path / "psf.fits"


def two_bands(path):
    np.save(path / "psf.npy", STARS[:, :2])
    return path / "psf.npy"


def no_numbers(path):
    np.save(path / "psf.npy", np.array([{"a": 1}]), allow_pickle=True)
    return path / "psf.npy"


def no_fits(path):
    (path / "psf.fits").write_text("SIMPLE?")
    return path / "psf.fits"


def flat(path):
    np.save(path / "psf.npy", np.ones((3, 9, 11)))
    return path / "psf.npy"


def one_axis(path):
    for band in BANDS:
        np.save(path / f"{band}.npy", np.ones(9))
    return path


def odd_and_even(path):
    for band, side in zip(BANDS, (25, 26, 25), strict=True):
        np.save(path / f"{band}.npy", gaussian(3.0, (25, side)))
    return path


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (missing, "psf_images: no file or folder .*nowhere"),
        (without_i, r"no PSF image of band i: no \*_i.npy or \*_i.fits"),
        (hdus_without_i, r"psf.fits: no HDU called i; it has \['g', 'r'\]"),
        (
            two_bands,
            r"psf.npy: .*\(count, band, v, u\) with the bands g, r, i, not \(2, 2, 25, 27\)",
        ),
        (no_numbers, "psf.npy is no .npy file of numbers"),
        (no_fits, "psf.fits is not a FITS file"),
        (flat, "psf.npy, band g: .*half-maximum"),
        (one_axis, r"g.npy: PSF images are \(v, u\) or \(count, v, u\), not \(9,\)"),
        (odd_and_even, r"no common middle"),
    ],
)
def test_what_is_wrong_is_named(write, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read_psf_library(write(tmp_path), BANDS, 0.2)
