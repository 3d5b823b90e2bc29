"""Selection: every example in one bin, shares with their errors, and pictures of both."""

import numpy as np
import pytest

from lensmill.evaluation.curves import HEIGHT, WIDTH, curve_panel, sheet, surface_panel
from lensmill.evaluation.selection import Share, curve, quantile_edges, surface


def test_a_share_and_its_spread():
    share = Share.of(np.array([True, True, True, False]))
    assert (share.value, share.total) == (0.75, 4)
    assert 0.45 < share.low < 0.75 < share.high < 0.95
    assert Share.of(np.zeros(0, bool)).total == 0
    none, all_ = (Share.of(np.full(20, each)) for each in (False, True))
    assert none.low == 0 < none.high < 0.1
    assert 0.9 < all_.low < all_.high == 1


def test_every_example_is_in_one_bin():
    value = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 5.0])
    found = np.array([True, False, True, True, False, True])
    bins = curve(found, value, (1.0, 3.0, 5.0))
    assert [each.share.total for each in bins] == [2, 4]
    assert [each.share.value for each in bins] == [0.5, 0.75]
    assert [each.middle for each in bins] == [1.5, 4.5]


def test_empty_bins_are_left_out():
    bins = curve(np.array([True]), np.array([2.5]), (0.0, 1.0, 2.0, 3.0))
    assert [(each.low, each.high) for each in bins] == [(2.0, 3.0)]


def test_edges_hold_equally_many():
    value = np.random.default_rng(0).exponential(size=103)
    edges = quantile_edges(value, 4)
    totals = [each.share.total for each in curve(value > 1, value, edges)]
    assert sum(totals) == 103
    assert max(totals) - min(totals) <= 1


def test_one_value_is_one_bin():
    value = np.full(5, 0.9)
    (only,) = curve(np.ones(5, bool), value, quantile_edges(value, 4))
    assert only.share.total == 5


def test_a_surface_has_a_row_for_each_bin_of_y():
    x, y = np.array([0.5, 1.5, 2.5, 0.5]), np.array([0.1, 0.1, 0.9, 0.9])
    cells = surface(
        np.array([True, False, True, True]), x, y, (0.0, 1.0, 2.0, 3.0), (0.0, 0.5, 1.0)
    )
    np.testing.assert_array_equal(cells, [[1, 0, np.nan], [1, np.nan, 1]])


@pytest.mark.parametrize("values", [np.full(6, 0.8), np.linspace(1, 3, 6)])
def test_panels_show_the_points(values):
    found = np.arange(6) % 2 == 0
    bins = curve(found, values, quantile_edges(values, 3))
    panels = [curve_panel("a title", bins, Share.of(found)) for _ in range(3)]
    cells = np.array([[0.0, np.nan, 1.0], [0.2, 0.5, 0.7]])
    panels.append(surface_panel("another", cells, (0.0, 1.0, 2.0, 3.0), (1.0, 2.0, 3.0)))
    whole = sheet(panels, columns=3)
    assert whole.size == (3 * WIDTH, 2 * HEIGHT)
    assert all(len(np.unique(np.asarray(panel))) > 4 for panel in panels)


def test_examples_of_a_group_go_together():
    """Eight galaxies, of which half give away all their arcs: known as well as of eight."""
    found = np.repeat([True, False], 128)
    alone, together = Share.of(found), Share.of_grouped(found, np.repeat(np.arange(8), 32))
    assert together.value == alone.value == 0.5
    assert alone.high - alone.low == pytest.approx(1 / 16, rel=0.05)
    assert together.high - together.low == pytest.approx(2 * (0.25 / 8) ** 0.5, rel=0.35)
    everything = Share.of_grouped(found[:128], np.arange(128))
    assert everything.low < 1
