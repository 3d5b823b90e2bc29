"""Pictures: orientation, hue, common scale, and any number of bands."""

import numpy as np
import pytest

from lensmill.evaluation.pictures import GAP, PANEL, colour, residual_panel, strip, white_level

BANDS = ("g", "r", "i")


@pytest.fixture
def image():
    values = np.random.default_rng(2).normal(size=(3, 12, 20)).astype(np.float32)
    values[:, 2, 15] += np.array([5.0, 50.0, 300.0])
    return values


def test_row_zero_is_at_the_bottom_and_x_grows_to_the_right(image):
    picture = colour(image, BANDS)
    assert picture.shape == (12, 20, 3)
    assert picture.dtype == np.uint8
    assert np.unravel_index(picture.max(2).argmax(), (12, 20)) == (12 - 1 - 2, 15)
    residual = residual_panel(image)
    assert residual[9, 15].tolist() == [255, 0, 0]


def test_the_reddest_band_is_red_in_any_order(image):
    red, _, blue = colour(image, BANDS)[9, 15].tolist()
    assert red == 255
    assert red > 4 * blue
    turned = colour(image[::-1], BANDS[::-1])
    assert (turned == colour(image, BANDS)).all()


def test_hue_does_not_depend_on_brightness():
    ramp = np.array([1.0, 1.5, 2.0])[:, None, None] * np.array([[3.0, 30.0, 100.0, 3000.0]])
    picture = colour(ramp, BANDS, scale=500.0)[0].astype(float)
    ratio = picture / picture[:, :1]
    assert ratio == pytest.approx(np.broadcast_to(ratio[-1:], ratio.shape), abs=0.03)
    assert (np.diff(picture[:, 0]) > 0).all()


def test_noise_is_just_visible():
    sky = np.random.default_rng(2).normal(size=(3, 30, 40))
    levels = colour(sky, BANDS, scale=300.0)
    assert 5 < levels.mean() < 40


@pytest.mark.parametrize("bands", [("r",), ("g", "i"), BANDS, ("g", "r", "i", "z", "y")])
def test_any_number_of_bands(bands):
    stamp = np.random.default_rng(1).normal(size=(len(bands), 31, 40)) * 20
    picture = strip(stamp, stamp, stamp / 2, np.ones(len(bands)), bands)
    assert picture.size == (5 * PANEL + 4 * GAP, round(PANEL * 31 / 40))


def test_one_band_is_grey():
    picture = colour(np.random.default_rng(1).normal(size=(1, 9, 8)) * 20, ("r",))
    assert (picture == picture[..., :1]).all()


def test_a_wrong_number_of_bands_is_named():
    with pytest.raises(ValueError, match=r"2 bands.*'g', 'r', 'i'"):
        colour(np.zeros((2, 4, 5)), BANDS)


def test_values_that_are_not_finite_are_dark(image):
    image[0, 0, 0], image[1, 0, 1], image[2, 0, 2] = np.nan, np.inf, -np.inf
    assert np.isfinite(white_level(image))
    assert colour(image, BANDS).max() == 255
    assert residual_panel(image).shape == (12, 20, 3)


def test_panels_but_the_sources_share_a_scale(image):
    clean = np.abs(image) * 10
    picture = np.asarray(strip(clean, clean, 0 * clean, np.ones(3), BANDS))
    panels = [picture[:, k * (PANEL + GAP) :][:, :PANEL] for k in range(5)]
    assert (panels[0] == panels[1]).all()
    assert (panels[1] == panels[3]).all()
    assert (panels[2] == 0).all()
    assert (panels[4] == 255).all()
