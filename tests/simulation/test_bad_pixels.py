"""Bad pixels: as many as asked for, of every kind, filled as a survey's are."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from lensmill.grid import Grid
from lensmill.physics.bad_pixels import fill_bad
from lensmill.physics.surveys import preset
from lensmill.simulation.bad_pixels import draw_bad_pixels
from lensmill.simulation.observing import Observing
from lensmill.simulation.population.priors import Priors
from lensmill.simulation.simulator import Simulator

SHAPE = (3, 45, 60)
INDICES = torch.arange(200)
OBSERVING = Observing(preset("lsst_10year"), bad_pixels=0.02)
SIMULATOR = Simulator(Priors(), OBSERVING, Grid((34, 39), 0.21))


@pytest.mark.parametrize("share", [0.002, 0.02, 0.1])
def test_the_share_is_the_one_asked_for(share):
    """Less where kinds overlap: a product of shares."""
    bad = draw_bad_pixels(3, INDICES, SHAPE, share)
    assert bad.shape == (200, *SHAPE)
    assert abs(bad.mean() / share - 1) < 0.1 + share / 2


def test_pixels_columns_and_streaks():
    """Columns from edge to edge; streaks of 3 to 15 pixels at every angle; the rest alone."""
    bad = draw_bad_pixels(3, INDICES, SHAPE, 0.01).reshape(-1, *SHAPE[1:])
    columns = bad.all(1)
    assert 0.7 < columns.mean() / 0.0025 < 1.3
    rest = bad & ~columns[:, None]
    sizes, extents = [], []
    for image in rest:
        islands, _ = ndimage.label(image, np.ones((3, 3)))
        sizes += np.bincount(islands.ravel())[1:].tolist()
        extents += [[side.stop - side.start for side in s] for s in ndimage.find_objects(islands)]
    sizes, extents = np.array(sizes), np.array(extents)
    assert (sizes == 1).mean() > 0.8
    streaks = extents[sizes >= 5]
    steep = (streaks[:, 0] > streaks[:, 1]).mean()
    assert 0.4 < steep < 0.6
    assert (streaks.max(1) > 10).any()


def test_bad_pixels_depend_on_seed_and_index_alone():
    whole = draw_bad_pixels(3, INDICES[:20], SHAPE, 0.02)
    assert np.array_equal(draw_bad_pixels(3, INDICES[5:7], SHAPE, 0.02), whole[5:7])
    assert not np.array_equal(draw_bad_pixels(4, INDICES[5:7], SHAPE, 0.02), whole[5:7])
    assert (whole[:, 0] != whole[:, 1]).any((1, 2)).all()


def test_images_are_filled_as_a_surveys_are():
    found = SIMULATOR(5, INDICES[:7])
    untouched = replace(SIMULATOR, observing=replace(OBSERVING, bad_pixels=0.0))(5, INDICES[:7])
    bad = draw_bad_pixels(5, INDICES[:7], (3, 34, 39), 0.02)
    for image, before, mask in zip(
        *(each.reshape(-1, 34, 39) for each in (found["noisy"], untouched["noisy"], bad)),
        strict=True,
    ):
        assert np.array_equal(image.numpy(), fill_bad(before.numpy(), mask).astype(np.float32))
    for name in found.keys() - {"noisy"}:
        assert torch.equal(found[name], untouched[name]), name


def test_no_share_draws_nothing():
    plain = Observing(preset("lsst_10year"))
    assert torch.equal(
        replace(SIMULATOR, observing=plain)(5, INDICES[:3])["noisy"],
        replace(SIMULATOR, observing=replace(plain, bad_pixels=0.0))(5, INDICES[:3])["noisy"],
    )
