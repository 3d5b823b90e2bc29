"""Filling of bad pixels."""

import numpy as np

from lensmill.physics.bad_pixels import fill_bad


def test_filling_follows_a_plane_and_leaves_good_pixels():
    y, x = np.mgrid[:30, :37]
    image = 3.0 * x + 2.0 * y
    bad = np.zeros(image.shape, bool)
    bad[10:12, 20] = bad[5, 5] = True
    filled = fill_bad(np.where(bad, np.nan, image), bad)
    assert np.abs(filled - image).max() < 1e-6 + 3
    assert np.array_equal(filled[~bad], image[~bad])


def test_filling_reaches_across_a_hole_wider_than_its_kernel():
    image = np.full((40, 45), 7.0)
    bad = np.zeros(image.shape, bool)
    bad[:, 20:] = True
    assert np.allclose(fill_bad(np.where(bad, np.nan, image), bad), 7.0)
