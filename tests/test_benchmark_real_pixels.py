"""benchmarks/real_pixels.py: the classical score sees a ring; AUROCs are of the right objects."""

import numpy as np
import pytest
import real_pixels
from astropy.io import fits

from lensmill.survey.stamps import Stamp

SHAPE, SCALE = (51, 57), 0.2


def _stamp():
    sky = np.array([1.0, 2.0, 3.0], np.float32)
    image = np.zeros((3, *SHAPE), np.float32)
    none = (None, None, None, "")
    return Stamp("a", ("g", "r", "i"), image, image > 0, sky, sky, SCALE, (), *none)


def test_the_classical_score_is_the_signal_to_noise_in_the_ring():
    stamp, residual = _stamp(), np.zeros((3, *SHAPE), np.float32)
    assert real_pixels.classical_score(stamp, residual) == 0
    residual[:, 25, 28] = 100.0  # the centre
    residual[:, 0, 0] = 100.0  # a corner
    assert real_pixels.classical_score(stamp, residual) == 0
    residual[1, 25, 38] = 6.0  # 2″ from it
    y, x = np.mgrid[:51, :57]
    radius = SCALE * np.hypot(y - 25, x - 28)
    pixels = 3 * int(((radius > 0.5) & (radius < 4.0)).sum())
    assert real_pixels.classical_score(stamp, residual) == pytest.approx(3 / pixels**0.5, abs=1e-4)
    assert real_pixels.classical_score(stamp, residual * np.nan) == 0


def test_aurocs_are_of_those_with_arcs_against_the_others():
    found = {
        "hsc_with_arcs": {"a": 0.9, "b": 0.8},
        "hsc_without_arcs": {"a": 0.1, "b": 0.2},
        "des_red_galaxies": {"c": 0.95, "d": 0.99},
        "des_lrg_with_psf": {},
        "des_lens_J0330": {"e": 0.0},
    }
    told = real_pixels.told_apart(found)
    values = {name: (figure["value"], figure["n"]) for name, figure in told.items()}
    assert values == {
        "hsc_without_arcs": (1.0, 4),
        "des_galaxies": (0.0, 4),
        "all_galaxies": (0.5, 6),
    }


def test_arcs_are_taken_out_again(tmp_path):
    (tmp_path / "with").mkdir()
    images = [np.full((5, 7), float(value)) for value in (10, 1, 20, 2, 30, 3)]
    hdus = [fits.PrimaryHDU(), *map(fits.ImageHDU, images)]
    fits.HDUList(hdus).writeto(tmp_path / "with/a.fits")
    out = real_pixels.without_arcs(tmp_path / "with", tmp_path / "without")
    with fits.open(out / "a.fits") as found:
        assert [found[k].data[0, 0] for k in (1, 3, 5)] == [9, 18, 27]
