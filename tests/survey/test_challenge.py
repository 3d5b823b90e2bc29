"""The LSST Strong Lensing Data Challenge: its stamps are read, a submission is written."""

import csv

import numpy as np
import pytest
from astropy.io import fits
from stamp_files import SIGMA, galaxy, read_all

from lensmill.physics.surveys import preset
from lensmill.survey.catalogue import as_table, check_suffix, write_catalogue
from lensmill.survey.stamps import Stamp

NAMES = ("D1_L00000017", "D1_N00000018", "D2_L00012345", "object_123")
BANDS = ("g", "r", "i", "z", "y")
SHAPE = (41, 41)


def stamp_of(band, seed):
    return galaxy(band if band in SIGMA else "z", seed, SHAPE)


def write_challenge(folder, flat=False, column="image"):
    """`<id>_<band>.fits`: an empty primary HDU, and a table (id, image) of one row."""
    folder.mkdir()
    for seed, name in enumerate(NAMES):
        for band in BANDS:
            image = stamp_of(band, seed)[None]
            dim = None if flat else "(41,41)"
            columns = [
                fits.Column("id", "12A", array=[name]),
                fits.Column(column.format(band), "1681E", dim=dim, array=image),
            ]
            table = fits.BinTableHDU.from_columns(columns)
            fits.HDUList([fits.PrimaryHDU(), table]).writeto(folder / f"{name}_{band}.fits")
    truth = [fits.Column("Rein", "D", array=[1.0, -999.0]), fits.Column("ell_m", "D", array=[1, 2])]
    fits.BinTableHDU.from_columns(truth).writeto(folder / "parameters.fits")


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("column", ["image", "band_{}"])
def test_its_stamps(tmp_path, flat, column):
    write_challenge(tmp_path / "hsc_lenses", flat, column)
    items = read_all(tmp_path, bands=("g", "r", "i"), survey=preset("lsst_10year"))
    assert [item.id for item in items] == [f"hsc_lenses/{name}" for name in NAMES]
    for seed, item in enumerate(items):
        assert isinstance(item, Stamp)
        expected = [stamp_of(band, seed) for band in "gri"]
        np.testing.assert_allclose(item.image, expected, rtol=1e-5, atol=1e-4)
        assert item.pixel_scale == 0.2
        assert "pixel_scale_assumed" in item.flags


def test_a_submission(tmp_path):
    rows = [
        {"id": "hsc_lenses/object_1", "p_lens": 0.75, "theta_E": 1.25, "ra": 10.0, "dec": -5.5},
        {"id": "object_2", "p_lens": 0.25, "theta_E": 0.5},
        {"id": "object_3", "flags": "truncated", "reason": "…"},
    ]
    check_suffix(tmp_path / "submission.csv")
    write_catalogue(as_table(rows), tmp_path / "submission.csv")
    with (tmp_path / "submission.csv").open() as file:
        written = list(csv.DictReader(file))
    assert ",".join(written[0]) == (
        "id,preds,RA,Dec,zlens,vel disp,ell_m,ell_m_PA,sh,sh_PA,Rein,"
        "ell_l,ell_l_PA,Reff_l,n_l_sers,"
        "mag_lens_g,mag_lens_r,mag_lens_i,mag_lens_z,mag_lens_y,zsrc,srcx,srcy,"
        "mag_src_g,mag_src_r,mag_src_i,mag_src_z,mag_src_y,ell_s,ell_s_PA,Reff_s,n_s_sers"
    )
    assert [(row["id"], row["preds"], row["Rein"]) for row in written] == [
        ("object_1", "1", "1.25"),
        ("object_2", "0", "0.5"),
        ("object_3", "0", "-99"),
    ]
    assert (written[0]["RA"], written[0]["Dec"], written[1]["RA"]) == ("10", "-5.5", "-99")
    assert {row["ell_m"] for row in written} == {"-99"}


def test_any_other_csv_is_the_catalogue(tmp_path):
    write_catalogue(as_table([{"id": "a", "p_lens": 0.5}]), tmp_path / "mine.csv")
    with (tmp_path / "mine.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["p_lens"]) == 0.5
    assert "theta_E_16" in row
