"""Grid: pixel centres about the image's centre, x along columns, y along rows."""

import pytest
import torch
from torch.testing import assert_close

from lensmill.grid import Grid

GRID = Grid((4, 7), 0.5)


def test_pixel_centres():
    x, y = GRID.axes()
    assert_close(x, torch.tensor([-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5]))
    assert_close(y, torch.tensor([-0.75, -0.25, 0.25, 0.75]))


def test_x_grows_with_the_column_and_y_with_the_row():
    x, y = GRID.coordinates()
    assert x.shape == y.shape == GRID.shape
    assert (x.diff(dim=1) > 0).all()
    assert (y.diff(dim=0) > 0).all()
    assert not x.diff(dim=0).any()
    assert not y.diff(dim=1).any()


@pytest.mark.parametrize("shape", [(32, 47), (33, 40), (35, 51)])
def test_the_origin_is_the_centre(shape):
    for centres in Grid(shape, 0.17).coordinates(dtype=torch.float64):
        assert_close(centres, -centres.flip(0, 1))


def test_extent_is_x_then_y():
    assert GRID.extent == (3.5, 2.0)


@pytest.mark.parametrize("factor", [2, 3])
def test_cells_fill_their_pixel(factor):
    fine = GRID.supersampled(factor)
    assert fine.extent == pytest.approx(GRID.extent)
    for cells, pixels in zip(
        fine.coordinates(dtype=torch.float64), GRID.coordinates(dtype=torch.float64), strict=True
    ):
        mean = cells.unflatten(1, (-1, factor)).unflatten(0, (-1, factor)).mean((1, 3))
        assert_close(mean, pixels)


def test_dtype():
    assert GRID.axes()[0].dtype == torch.float32
    assert GRID.coordinates(dtype=torch.float64)[1].dtype == torch.float64


@pytest.mark.parametrize(("shape", "scale"), [((0, 5), 0.2), ((5, -1), 0.2), ((5, 6), 0.0)])
def test_a_grid_needs_pixels(shape, scale):
    with pytest.raises(ValueError, match="positive pixel scale"):
        Grid(shape, scale)
