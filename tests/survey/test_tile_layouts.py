"""Tiles as the surveys publish them: Rubin, HSC, DES, the Legacy Surveys, Euclid."""

import numpy as np
from astropy.io import fits
from stamp_files import GRI, SIGMA, gaussian
from tile_files import (
    CUT,
    INSIDE,
    SCALE,
    SHAPE,
    assert_cut,
    compressed,
    cut_all,
    header,
    rubin_hdus,
    save,
    tile_image,
    tile_wcs,
    window,
    write_positions,
    write_rubin,
)

from lensmill.survey.stamps import (
    Reading,
    find_objects,
)


def test_rubin_with_a_mask(tmp_path):
    mask = np.zeros(SHAPE, np.int32)
    mask[50:55, 90:100] = 1 << 1  # saturated, at the centre of p0
    mask[140:142, 140:150] = 1 << 8  # no data, away from the centre of p1
    mask[200:, :] |= (1 << 2) + (1 << 5)  # interpolated and detected: good
    write_rubin(tmp_path / "tiles", mask=mask)
    items = cut_all(tmp_path / "tiles", write_positions(tmp_path / "p.vot", INSIDE))
    expected = {"p0": {"masked", "masked_centre"}, "p1": {"masked"}, "p2": set(), "p3": set()}
    for name, words in expected.items():
        flags = set(items[name].flags)
        assert flags & {"masked", "masked_centre"} == words
        assert ("bad_pixels_filled" in flags) == bool(words)
    assert items["p0"].bad.sum() == 3 * 50
    np.testing.assert_allclose(items["p3"].sky_sigma, [SIGMA[band] for band in GRI])
    assert "psf_assumed" in items["p3"].flags  # it is in the archive


def test_hsc_patches_in_folders_of_their_filters(tmp_path):
    for band, name in zip(GRI, ("HSC-G", "HSC-R2", "HSC-I2"), strict=True):
        path = tmp_path / f"tiles/{name}/9813/4,4/calexp-{name}-9813-4,4.fits"
        save(path, *rubin_hdus(band))
        with fits.open(path, mode="update") as hdus:
            hdus[0].header["FILTER"] = name
    reading = Reading(positions=write_positions(tmp_path / "p.csv", INSIDE), cut=CUT)
    (entry,) = find_objects(tmp_path / "tiles", reading)
    assert entry.id == "9813-4,4"
    assert_cut(cut_all(tmp_path / "tiles", reading.positions)["p1"], 150, 150)


def test_des_compressed_with_psfex_models(tmp_path):
    for band in GRI:
        name = f"DES0219-0541_r2588p01_{band}"
        cards = header(FILTER=f"{band} DECam SDSS c0001 4720.0 1520.0")
        mask = np.zeros(SHAPE, np.int32)
        mask[140:150, 135:145] = 1
        weight = np.full(SHAPE, SIGMA[band] ** -2, np.float32)
        save(
            tmp_path / f"tiles/{name}.fits.fz",
            compressed(tile_image(band), cards, name="SCI", quantize_level=64),
            compressed(mask, cards, name="MSK"),
            compressed(weight, cards, name="WGT", quantize_level=64),
        )
        model = fits.BinTableHDU.from_columns([fits.Column("PSF_MASK", "E", array=[1.0])])
        model.header["PSF_FWHM"] = 4.5  # pixels
        save(tmp_path / f"tiles/{name}_psfcat.psf", model)
    items = cut_all(tmp_path / "tiles", write_positions(tmp_path / "p.csv", INSIDE))
    item = items["p0"]
    np.testing.assert_allclose(item.image[1], window(tile_image("r"), 100, 50), atol=0.2)
    np.testing.assert_allclose(item.sky_sigma, [SIGMA[band] for band in GRI], rtol=1e-4)
    np.testing.assert_allclose(item.psf_fwhm, 4.5 * SCALE, rtol=1e-5)
    assert item.flags == ()
    assert set(items["p1"].flags) == {"masked", "bad_pixels_filled"}


def test_legacy_survey_bricks(tmp_path):
    folder = tmp_path / "tiles/033/0334p000"
    mask = np.zeros(SHAPE, np.int16)
    mask[140:150, 135:145] = 1 << 3  # saturated in r
    mask[:, :] |= (1 << 12) + (1 << 0)  # a large galaxy, not primary: good
    for band in GRI:
        maps = {
            "image": tile_image(band),
            "invvar": np.full(SHAPE, SIGMA[band] ** -2, np.float32),
            "psfsize": np.full(SHAPE, 1.1, np.float32),
            "model": tile_image(band, 9),
            "nexp": np.ones(SHAPE, np.float32),
        }
        for kind, data in maps.items():
            hdu = compressed(data, header(), quantize_level=64)
            save(folder / f"legacysurvey-0334p000-{kind}-{band}.fits.fz", hdu)
    save(folder / "legacysurvey-0334p000-maskbits.fits.fz", compressed(mask, header()))
    items = cut_all(tmp_path / "tiles", write_positions(tmp_path / "p.csv", INSIDE))
    item = items["p1"]
    np.testing.assert_allclose(item.image[0], window(tile_image("g"), 150, 150), atol=0.2)
    np.testing.assert_allclose(item.psf_fwhm, 1.1, rtol=1e-3)
    np.testing.assert_allclose(item.sky_sigma, [SIGMA[band] for band in GRI], rtol=1e-2)
    assert item.bad.sum((1, 2)).tolist() == [0, 100, 0]
    assert set(item.flags) == {"masked", "bad_pixels_filled"}
    assert items["p0"].flags == ()


def test_euclid_mer_mosaics(tmp_path):
    tail = "TILE102018211-ACBD03_20241018T142710.276838Z_00.00.fits"
    bands = ("VIS", "NIR_Y", "NIR_H")
    for band, folder in zip(bands, ("VIS", "NISP", "NISP"), strict=True):
        name = band.replace("_", "-")
        rms = np.full(SHAPE, 4.0, np.float32)
        rms[140:150, 135:145] = np.nan
        where = tmp_path / "tiles/102018211" / folder
        where.mkdir(parents=True, exist_ok=True)
        for kind, data in {
            f"BGSUB-MOSAIC-{name}": tile_image(band),
            f"MOSAIC-{name}-RMS": rms,
            f"MOSAIC-{name}-FLAG": np.ones(SHAPE, np.int32) << 18,
            f"BGMOD-{name}": np.zeros(SHAPE, np.float32),
        }.items():
            cards = header(tile_wcs(scale=0.1), FILTER=band)
            fits.PrimaryHDU(data, cards).writeto(where / f"EUC_MER_{kind}_{tail}")
    save(tmp_path / f"tiles/102018211/VIS/EUC_MER_GRID-PSF-VIS_{tail}", fits.ImageHDU(gaussian(2)))
    table = write_positions(tmp_path / "p.csv", INSIDE, tile_wcs(scale=0.1))
    items = cut_all(tmp_path / "tiles", table, bands=bands, psf_fwhm=(0.2, 0.5, 0.5))
    assert items["p0"].bands == bands
    assert_cut(items["p0"], 100, 50, bands)
    assert set(items["p0"].flags) == {"psf_given", "mask_not_used"}
    assert items["p1"].bad.sum() == 300
    given = cut_all(tmp_path / "tiles", table, bands=bands, mask_bits=(18,))
    assert given["p0"].flag == "too_many_bad"
