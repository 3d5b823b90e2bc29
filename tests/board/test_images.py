"""Images: the five panels, from FITS or a picture, and from nowhere outside of the run."""

import io
import os
import shutil

import numpy as np
import pytest
from board_runs import SHAPE, write_images
from PIL import Image

from lensmill.board.images import PANELS, Look, Products, panel, shape

WITH_IMAGES = {
    "product": "00000_00001_",
    "sky_sigma_g": 1.0,
    "sky_sigma_r": 2.0,
    "sky_sigma_i": 4.0,
}
WITH_PICTURE = {"product": "pictured", "picture": "pictures/pictured.png"}


@pytest.fixture
def products(run):
    shutil.move(run / "pictures/00000_00000_object_000.png", run / "pictures/pictured.png")
    return Products(run)


def pixels(products, name, row=WITH_IMAGES, **look):
    data = panel(products, row, name, Look(**look))
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_five_panels_of_the_stamps_shape(products):
    for name in PANELS:
        assert pixels(products, name).shape == (*SHAPE, 3)
    assert shape(products, WITH_IMAGES) == SHAPE


def test_the_source_is_where_it_is(products):
    """6 pixels right of the centre and 3 above it, on a picture whose top row is the first."""
    y, x = np.unravel_index(pixels(products, "source").sum(-1).argmax(), SHAPE)
    assert abs(x - (18 + 6)) <= 1
    assert abs(y - (30 - 18)) <= 1


def test_the_residual_is_noise_about_white(products):
    residual = pixels(products, "residual")
    assert residual.max(-1).min() == 255
    assert np.median(residual.min(-1)) > 150


@pytest.mark.parametrize("stretch", ["sqrt", "linear"])
def test_a_linear_stretch_shows_less_of_the_faint(products, stretch):
    faint = {s: pixels(products, "lens_light", stretch=s).mean() for s in ("asinh", stretch)}
    assert faint[stretch] < faint["asinh"]


def test_a_lower_white_is_brighter(products):
    dark, plain, bright = (pixels(products, "input", white=w).sum() for w in (4.0, 1.0, 0.25))
    assert dark < plain < bright
    assert (pixels(products, "residual", white=4.0) >= pixels(products, "residual")).all()


def test_a_band_is_grey_and_its_own(products):
    grey = {band: pixels(products, "input", band=band) for band in "gri"}
    for image in grey.values():
        assert (image[..., 0] == image[..., 2]).all()
    assert (grey["g"] != grey["r"]).any()
    assert (pixels(products, "input", band="nonsense") == pixels(products, "input")).all()


def test_a_picture_is_cut_into_its_panels(products):
    for place, name in enumerate(PANELS):
        image = pixels(products, name, WITH_PICTURE)
        assert image.shape == (134, 160, 3)
        assert (image == 50 * place).all()
    assert shape(products, WITH_PICTURE) == SHAPE


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"product": None, "picture": None},
        {"product": "../secret", "picture": "../secret.png"},
        {"picture": "/etc/passwd"},
        {"picture": "pictures/../../secret.png"},
        {"picture": "link.png"},
        {"picture": "pictures"},
        {"picture": "a\0b"},
        {"picture": "x" * 5000},
        {"picture": "text.png", "product": "text"},
    ],
)
def test_nothing_outside_of_the_run_and_nothing_broken(products, row):
    outside = products.run.parent / "secret.png"
    Image.new("RGB", (816, 134)).save(outside)
    write_images(products.run.parent / "secret.fits")
    (products.run / "link.png").symlink_to(outside)
    (products.run / "text.png").write_text("no picture")
    (products.run / "images" / "text.fits").write_text("no FITS")
    assert panel(products, row, "input", Look()) is None
    assert shape(products, row) is None


@pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyWarning")
def test_half_a_file_is_no_image(products):
    path = products.run / "images" / "00000_00001_object_001.fits"
    path.write_bytes(path.read_bytes()[:4000])
    assert panel(products, WITH_IMAGES, "source", Look()) is None


def test_images_that_come_later_are_found(products):
    later = WITH_IMAGES | {"product": "00000_00002_"}
    assert panel(products, later, "input", Look()) is None
    write_images(products.run / "images" / "00000_00002_later.fits", 7)
    assert panel(products, later, "input", Look()) is not None


def test_wrong_looks_are_refused():
    with pytest.raises(ValueError, match="choices: asinh"):
        Look(stretch="log")
    with pytest.raises(ValueError, match="white"):
        Look(white=float("nan"))


def test_a_folder_of_images_is_listed_once(run, monkeypatch):
    """Of 100,000 files; and again when one has come."""
    folder, listed = run / "images", []
    os.utime(folder, (1e9, 1e9))
    glob = type(folder).glob
    monkeypatch.setattr(
        type(folder), "glob", lambda self, *rest: listed.append(1) or glob(self, *rest)
    )
    products = Products(run)
    for number in (2, 3, 4):
        assert products.images({"product": f"00000_{number:05d}_"}) is None
    assert len(listed) == 1
    write_images(folder / "00000_00003_late.fits")
    assert products.images({"product": "00000_00003_"}).name == "00000_00003_late.fits"
    assert len(listed) == 2
