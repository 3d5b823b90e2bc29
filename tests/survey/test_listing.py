"""Which files of a folder are one object, and which are none."""

import json

import numpy as np
import pytest
from stamp_files import GRI, SHAPE, SIGMA, assert_bands, failure, galaxy, read_all, stamp, write

from lensmill.survey.labels import match_band
from lensmill.survey.stamps import Reading, find_objects


def write_all(path, seed=0):
    write(path, *(galaxy(band, seed) for band in GRI), names=GRI)


@pytest.mark.parametrize(
    "names",
    [
        ("J033056+522813", "J033056-522813"),
        ("obj1A", "obj1a"),
        ("x_1.5", "x_1_5"),
        ("α", "β"),
    ],
)
@pytest.mark.parametrize("per_band", [False, True])
def test_names_that_are_alike_are_of_two_objects(tmp_path, names, per_band):
    for seed, name in enumerate(names):
        if per_band:
            for band in GRI:
                write(tmp_path / f"{name}_{band}.fits", galaxy(band, seed))
                write(tmp_path / f"{name}_{band}_var.fits", np.full(SHAPE, SIGMA[band] ** 2))
        else:
            write_all(tmp_path / f"{name}.fits", seed)
    items = {item.id: item for item in read_all(tmp_path)}
    assert set(items) == set(names)
    for seed, name in enumerate(names):
        assert_bands(items[name], seed=seed)
        assert ("sky_sigma_estimated" in items[name].flags) != per_band


def test_separators_may_differ_within_an_object(tmp_path):
    for band, name in zip(GRI, ("J1-2_a_g", "J1-2.a.r", "J1-2-a-i"), strict=True):
        write(tmp_path / f"{name}.fits", galaxy(band))
    assert_bands(stamp(tmp_path))


def test_files_that_count_as_one_object_are_named(tmp_path):
    for band in ("g", "y"):
        write_all(tmp_path / f"galaxy_{band}.fits")
    reason = failure(tmp_path, "ambiguous_bands")
    assert "these files count as one object: galaxy_g.fits, galaxy_y.fits" in reason


def test_a_name_without_a_band(tmp_path):
    write(tmp_path / "x.fits", galaxy("g"))
    reason = failure(tmp_path, "missing_band")
    assert "the name of the file says no band: expected x_<band>.fits" in reason


def test_cut_outs_of_hsc(tmp_path):
    for number in (2, 3):
        for band in GRI:
            images = (galaxy(band, number), np.ones(SHAPE), np.full(SHAPE, SIGMA[band] ** 2))
            path = tmp_path / f"{number}-cutout-HSC-{band.upper()}-9813-pdr3_wide.fits"
            write(path, *images, names=("IMAGE", "MASK", "VARIANCE"))
    items = read_all(tmp_path)
    assert [item.id for item in items] == ["2-cutout-9813-pdr3_wide", "3-cutout-9813-pdr3_wide"]
    for number, item in zip((2, 3), items, strict=True):
        assert_bands(item, seed=number)
        np.testing.assert_allclose(item.sky_sigma, [SIGMA[band] for band in GRI])


def test_filters_of_hsc():
    assert [match_band(f"HSC-{name}", GRI) for name in ("G", "R2", "I2")] == list(GRI)
    assert match_band("HSC-R2", ("HSC-R2", "HSC-R")) == "HSC-R2"


@pytest.mark.parametrize("name", ["{id}.fits", "{id}_{band}.fits"])
def test_a_folder_per_band(tmp_path, name):
    for folder, band in zip(("g", "HSC-R2", "I"), GRI, strict=True):
        for number in (1, 2):
            path = tmp_path / "in" / folder / name.format(id=f"a{number}", band=band)
            write(path, galaxy(band, number))
    items = read_all(tmp_path)
    assert [item.id for item in items] == ["in/a1", "in/a2"]
    for number, item in enumerate(items, 1):
        assert_bands(item, seed=number)


def test_one_folder_named_as_a_band_is_none(tmp_path):
    for band in GRI:
        write(tmp_path / "i" / f"a_{band}.fits", galaxy(band))
    assert_bands(stamp(tmp_path))
    assert stamp(tmp_path).id == "i/a"


def test_runs_within_the_folder_are_passed_over(tmp_path):
    write_all(tmp_path / "in/a.fits")
    write_all(tmp_path / "in/run/images/a.fits")
    assert len(find_objects(tmp_path / "in", Reading())) == 2
    (tmp_path / "in/run/run.json").write_text(json.dumps({"lensmill": "0.1.0"}))
    assert stamp(tmp_path / "in").id == "a"


def test_linked_folders_are_followed_once(tmp_path):
    write_all(tmp_path / "far/b.fits")
    write_all(tmp_path / "in/sub/a.fits")
    (tmp_path / "in/far").symlink_to(tmp_path / "far")
    (tmp_path / "in/again").symlink_to(tmp_path / "in/sub")
    (tmp_path / "in/sub/loop").symlink_to(tmp_path / "in")
    assert [entry.id for entry in find_objects(tmp_path / "in", Reading())] == ["far/b", "sub/a"]
