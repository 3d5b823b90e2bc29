"""Stamps cut from tiles: the right pixels, each survey's layout, and everything that can be bad."""

import gzip

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from stamp_files import GRI, SIGMA
from tile_files import (
    CUT,
    INSIDE,
    SCALE,
    SHAPE,
    assert_cut,
    cut_all,
    header,
    save,
    tile_image,
    tile_wcs,
    window,
    write_plain,
    write_positions,
    write_rubin,
)

from lensmill.survey import placing, tile_reading
from lensmill.survey.stamps import (
    Reading,
    Stamp,
    Unreadable,
    count_objects,
    describe,
    find_objects,
    read,
)


def test_stamps_are_the_pixels_around_each_position(tmp_path):
    write_plain(tmp_path / "tiles")
    table = write_positions(tmp_path / "p.csv", INSIDE)
    items = cut_all(tmp_path / "tiles", table)
    assert sorted(items) == ["p0", "p1", "p2", "p3"]
    for (x, y), name in zip(INSIDE, sorted(items), strict=True):
        item = items[name]
        assert_cut(item, x, y)
        assert item.image.shape == (3, *CUT)
        assert item.flags == ()
        assert item.pixel_scale == pytest.approx(SCALE)
        np.testing.assert_allclose(item.sky_sigma, [SIGMA[band] for band in GRI])
        np.testing.assert_allclose(item.psf_fwhm, 0.8, rtol=0.02)
        at = WCS(item.wcs_header).all_world2pix([[item.ra, item.dec]], 0)[0]
        np.testing.assert_allclose(at, [(CUT[1] - 1) / 2, (CUT[0] - 1) / 2], atol=0.51)


@pytest.mark.parametrize("strip", [1, 60, 1000])
def test_the_strips_in_which_rows_are_read_change_nothing(tmp_path, monkeypatch, strip):
    monkeypatch.setattr(tile_reading, "STRIP", strip)
    write_rubin(tmp_path / "tiles")
    pixels = np.random.default_rng(1).uniform((25, 25), (300, 270), (12, 2))
    items = cut_all(tmp_path / "tiles", write_positions(tmp_path / "p.ecsv", pixels))
    for number, (x, y) in enumerate(pixels):
        assert_cut(items[f"p{number}"], x, y)


def test_positions_are_grouped_by_tile_and_by_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(placing, "PER_ENTRY", 3)
    east = tile_wcs(ra=150.02)
    write_plain(tmp_path / "tiles", "a")
    write_plain(tmp_path / "tiles", "b", wcs=east)
    pixels = [(50, 250), (60, 50), (70, 150), (80, 20 + 7.25)]
    table = write_positions(tmp_path / "p.fits", pixels)
    reading = Reading(positions=table, cut=CUT)
    entries = find_objects(tmp_path / "tiles", reading)
    assert [entry.id for entry in entries] == ["a", "a"]
    assert [[p.id for p in entry.positions] for entry in entries] == [["p3", "p1", "p2"], ["p0"]]
    assert [count_objects(entry) for entry in entries] == [3, 1]
    both = [item.id for entry in entries for item in read(entry, reading)]
    assert both == ["p3", "p1", "p2", "p0"]


def test_a_part_of_an_entry_is_read_alone(tmp_path):
    from dataclasses import replace

    write_plain(tmp_path / "tiles")
    reading = Reading(positions=write_positions(tmp_path / "p.csv", INSIDE), cut=CUT)
    (entry,) = find_objects(tmp_path / "tiles", reading)
    parts = [replace(entry, rows=rows) for rows in ((0, 1), (1, 3), (3, 9))]
    names = [item.id for part in parts for item in read(part, reading)]
    assert names == [position.id for position in entry.positions]


def test_where_tiles_overlap_the_one_with_more_around_it_is_taken(tmp_path):
    write_plain(tmp_path / "tiles", "a")
    moved = tile_wcs(ra=150 + 150 * SCALE / 3600)  # its centre is at x = 15 of tile a or so
    write_plain(tmp_path / "tiles", "b", wcs=moved)
    reading = Reading(positions=write_positions(tmp_path / "p.csv", [(30, 150), (150, 150)]))
    entries = find_objects(tmp_path / "tiles", reading)
    assert {entry.id: [p.id for p in entry.positions] for entry in entries} == {
        "a": ["p1"],
        "b": ["p0"],
    }


def test_edges_are_filled_and_flagged(tmp_path):
    write_plain(tmp_path / "tiles")
    pixels = [(12, 150), (318, 285), (0.2, 0.3), (19.5, 16)]
    items = cut_all(tmp_path / "tiles", write_positions(tmp_path / "p.csv", pixels))
    assert set(items["p0"].flags) == {"at_tile_edge", "bad_pixels_filled"}
    assert items["p0"].bad[:, :, :7].all()
    assert not items["p0"].bad[:, :, 7:].any()
    assert items["p1"].flags == ("at_tile_edge", "bad_pixels_filled")
    assert items["p2"].flag == "too_many_bad"
    assert items["p3"].flags == ()


def test_bands_on_grids_of_their_own(tmp_path):
    for band, shift in zip(GRI, (0.0, 0.0, 7.4), strict=True):
        wcs = tile_wcs(shift=shift)
        save(tmp_path / f"tiles/t_{band}.fits", fits.ImageHDU(tile_image(band), header(wcs)))
    items = cut_all(tmp_path / "tiles", write_positions(tmp_path / "p.csv", INSIDE))
    (x, y), item = INSIDE[1], items["p1"]
    assert "bands_shifted" in item.flags
    np.testing.assert_allclose(item.image[2], window(tile_image("i"), x + 7.4, y), atol=1e-4)


def test_one_file_with_all_bands_and_a_gzipped_one(tmp_path):
    names = [(band, kind) for band in GRI for kind in ("sci", "var")]
    images = {"sci": tile_image, "var": lambda band: np.full(SHAPE, SIGMA[band] ** 2, np.float32)}
    hdus = [fits.ImageHDU(images[k](b), header(), name=f"{b}_{k}") for b, k in names]
    save(tmp_path / "tiles/all.fits", *hdus)
    whole = (tmp_path / "tiles/all.fits").read_bytes()
    table = write_positions(tmp_path / "p.csv", INSIDE)
    assert_cut(cut_all(tmp_path / "tiles", table)["p1"], 150, 150)
    (tmp_path / "tiles/all.fits").unlink()
    (tmp_path / "tiles/all.fits.gz").write_bytes(gzip.compress(whole, mtime=0))
    assert_cut(cut_all(tmp_path / "tiles", table)["p1"], 150, 150)


def test_every_bad_position_or_tile_is_a_row_with_a_reason(tmp_path):
    tiles = tmp_path / "tiles"
    write_plain(tiles, "good")
    write_plain(tiles, "no_r", bands=("g", "i"), wcs=tile_wcs(ra=151))
    save(tiles / "lost_g.fits", fits.ImageHDU(tile_image("g")))
    cut_wcs = tile_wcs(ra=152)
    write_plain(tiles, "cut", wcs=cut_wcs, variance=False)
    broken = tiles / "cut_r_sci.fits"
    broken.write_bytes(broken.read_bytes()[:200_000])
    mask = np.full(SHAPE, 1, np.int32)
    write_rubin(tiles, "1_2", mask=mask, wcs=tile_wcs(ra=153))
    ra = [150.0, 151.0, 152.0, 153.0, 10.0, np.nan, 150.0]
    dec = [2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 123.0]
    names = ["good", "no_r", "cut", "masked", "far", "nan", "pole"]
    Table({"id": names, "RA": ra, "DEC": dec}).write(tmp_path / "p.parquet")
    items = cut_all(tiles, tmp_path / "p.parquet")
    flags = {name: item.flag for name, item in items.items() if isinstance(item, Unreadable)}
    assert flags == {
        "no_r": "missing_band",
        "cut": "truncated",
        "masked": "too_many_bad",
        "far": "off_tile",
        "nan": "bad_position",
        "pole": "bad_position",
        "lost": "missing_band",
    }
    assert all(len(item.reason) > 20 for item in items.values() if isinstance(item, Unreadable))
    assert isinstance(items["good"], Stamp)


def test_a_tile_without_a_wcs_says_so_once(tmp_path):
    for band in GRI:
        save(tmp_path / f"tiles/lost_{band}.fits", fits.ImageHDU(tile_image(band)))
    items = cut_all(tmp_path / "tiles", write_positions(tmp_path / "p.csv", INSIDE))
    flags = {name: item.flag for name, item in items.items()}
    assert flags == {"lost": "no_wcs", **dict.fromkeys(("p0", "p1", "p2", "p3"), "off_tile")}
    assert "no celestial WCS for band g" in items["lost"].reason


def test_pixels_that_are_nan_or_of_other_shapes(tmp_path):
    write_plain(tmp_path / "tiles", variance=False)
    holes = tile_image("r")
    holes[140:160, 140:150] = np.nan
    holes[230:, :] = np.nan
    save(tmp_path / "nan/t_r.fits", fits.ImageHDU(holes, header()))
    for band in "gi":
        save(tmp_path / f"nan/t_{band}.fits", fits.ImageHDU(tile_image(band), header()))
    table = write_positions(tmp_path / "p.csv", INSIDE)
    items = cut_all(tmp_path / "nan", table)
    assert items["p1"].bad.sum((1, 2)).tolist() == [0, 200, 0]
    assert items["p2"].flag == "all_nan"
    for band in GRI:
        save(tmp_path / f"tiles/tile_{band}_var.fits", fits.ImageHDU(np.ones((9, 9)), header()))
    shapes = cut_all(tmp_path / "tiles", table)
    assert {item.flag for item in shapes.values()} == {"shape_mismatch"}


def test_bands_of_unlike_pixels(tmp_path):
    for band, scale in zip(GRI, (0.2, 0.2, 0.3), strict=True):
        wcs = tile_wcs(scale=scale)
        save(tmp_path / f"tiles/t_{band}.fits", fits.ImageHDU(tile_image(band), header(wcs)))
    items = cut_all(tmp_path / "tiles", write_positions(tmp_path / "p.csv", INSIDE))
    assert {item.flag for item in items.values()} == {"scale_mismatch"}


def test_a_band_that_is_turned(tmp_path):
    for band in GRI:
        wcs = tile_wcs()
        wcs.wcs.pc = [[0.0, -1.0], [1.0, 0.0]] if band == "i" else [[1.0, 0.0], [0.0, 1.0]]
        save(tmp_path / f"tiles/t_{band}.fits", fits.ImageHDU(tile_image(band), header(wcs)))
    items = cut_all(tmp_path / "tiles", write_positions(tmp_path / "p.csv", INSIDE))
    assert {item.flag for item in items.values()} == {"wcs_mismatch"}
    assert "band i is turned against g" in items["p0"].reason


def test_a_folder_without_tiles_and_a_cut_that_is_too_small(tmp_path):
    (tmp_path / "tiles").mkdir()
    table = write_positions(tmp_path / "p.csv", INSIDE)
    with pytest.raises(ValueError, match="no images; the folder is empty"):
        find_objects(tmp_path / "tiles", Reading(positions=table))
    with pytest.raises(ValueError, match="16 are needed"):
        Reading(cut=(15, 64))
    with pytest.raises(ValueError, match="mask_bits"):
        Reading(mask_bits=(99,))


def test_it_is_described(tmp_path):
    write_plain(tmp_path / "tiles")
    table = write_positions(tmp_path / "p.csv", [*INSIDE, (9999, 9999)])
    off, tile = describe(tmp_path / "tiles", Reading(positions=table, cut=CUT))
    assert tile.objects == 4
    assert tile.shape == CUT
    assert tile.variance_found
    assert tile.psf_found
    assert off.objects == 1
    assert "on none of the tiles" in off.problem
