"""Real files of DES, HSC and DC2, where they are at hand."""

from pathlib import Path

import numpy as np
import pytest
from stamp_files import GRI, read_all, stamp, write_hdf5

from lensmill.physics.surveys import preset
from lensmill.survey.stamps import Stamp

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "real"


def real(name):
    if not (REAL / name).is_dir():
        pytest.skip(f"{REAL / name} is not here")
    return REAL / name


def test_a_real_lens_of_des():
    item = stamp(real("des_lens_J0330"))
    assert item.image.shape == (3, 100, 100)
    assert item.flags == ()
    assert item.pixel_scale == pytest.approx(0.263, abs=1e-4)
    assert (item.ra, item.dec) == (
        pytest.approx(52.7372, abs=1e-3),
        pytest.approx(-52.4703, abs=1e-3),
    )
    np.testing.assert_allclose(item.sky_sigma, [5.4, 7.2, 14.3], rtol=0.02)
    assert ((item.psf_fwhm > 0.9) & (item.psf_fwhm < 1.2)).all()


def test_real_galaxies_of_des_with_psf_files():
    items = read_all(real("des_lrg_with_psf"))
    assert len(items) == 5
    for item in items:
        assert isinstance(item, Stamp)
        assert item.image.shape == (3, 50, 50)
        np.testing.assert_allclose(item.psf_fwhm, [1.05, 0.95, 0.88], rtol=0.1)
        np.testing.assert_allclose(item.sky_sigma, [2.5, 3.5, 6.5], rtol=0.25)


def test_real_red_galaxies_of_des_in_cubes():
    items = read_all(real("des_red_galaxies"), survey=preset("des_wide"))
    assert len(items) == 46
    sigma = np.array([item.sky_sigma for item in items])
    np.testing.assert_allclose(np.median(sigma, 0), [2.5, 3.5, 6.0], rtol=0.15)


def test_real_galaxies_of_hsc_by_hdu_number():
    folder = real("hsc_injected")
    assert all(item.flag == "ambiguous_bands" for item in read_all(folder, pixel_scale=0.168))
    items = read_all(folder, survey=preset("hsc_wide"), hdus=(1, 3, 5))
    assert [item.id for item in items] == [f"lens_{number}" for number in range(1, 9)]
    assert items[0].bad.sum() == 3 * 64  # a row at the end of a tile


def test_real_coadds_of_dc2_in_hdf5(tmp_path):
    folder = real("dc2_coadd")
    arrays = {
        name: np.stack([np.load(folder / f"dc2_galaxy{kind}_{band}.npy") for band in GRI])
        for name, kind in (("image", ""), ("variance", "_variance"))
    }
    kernels = [np.load(folder / f"dc2_galaxy_kernel_{band}.npy") for band in GRI]
    psf = np.zeros((3, 59, 59))
    for index, kernel in enumerate(kernels):
        psf[index, : len(kernel), : len(kernel)] = kernel
    write_hdf5(tmp_path / "dc2.h5", {"bands": "gri", "pixel_scale": 0.2}, psf=psf, **arrays)
    item = stamp(tmp_path)
    np.testing.assert_allclose(item.sky_sigma, [0.0277, 0.0319, 0.0563], rtol=0.05)
    assert ((item.psf_fwhm > 0.6) & (item.psf_fwhm < 1.0)).all()
    assert item.flags == ()
