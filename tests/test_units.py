"""Units: conversions at the house's border, and back."""

import math

import pytest
import torch
from torch.testing import assert_close

from lensmill.units import (
    axis_ratio_from_ellipticity,
    ellipticity_from_axis_ratio,
    flux_from_magnitude,
    position_angle_deg,
)

PHI = torch.linspace(0, math.pi, 181, dtype=torch.float64)[:-1]


def test_magnitude_of_one_unit_is_the_zero_point():
    magnitude = torch.tensor([27.0, 24.5, torch.inf])
    assert_close(flux_from_magnitude(magnitude, 27.0), torch.tensor([1.0, 10.0, 0.0]))


def test_zero_points_differ_by_band():
    flux = flux_from_magnitude(torch.tensor([[25.0, 25.0]]), torch.tensor([25.0, 30.0]))
    assert_close(flux, torch.tensor([[1.0, 100.0]]))


@pytest.mark.parametrize("q", [0.2, 0.7, 0.999])
def test_ellipticity_round_trip(q):
    ratio, phi = axis_ratio_from_ellipticity(
        *ellipticity_from_axis_ratio(torch.full_like(PHI, q), PHI)
    )
    assert_close(ratio, torch.full_like(PHI, q))
    assert_close(phi, PHI)


def test_ellipticity_of_known_axes():
    """Along x e1 > 0; along the diagonal x = y e2 > 0."""
    q, phi = torch.tensor([0.5, 0.5, 0.5]), torch.tensor([0.0, math.pi / 4, math.pi / 2])
    e1, e2 = ellipticity_from_axis_ratio(q, phi)
    assert_close(e1, torch.tensor([1 / 3, 0.0, -1 / 3]))
    assert_close(e2, torch.tensor([0.0, 1 / 3, 0.0]))


def test_a_circle_is_regular():
    q, phi = axis_ratio_from_ellipticity(torch.zeros(2), torch.zeros(2))
    assert q.tolist() == [1, 1]
    assert phi.tolist() == [0, 0]


def test_an_axis_has_no_head():
    turned = ellipticity_from_axis_ratio(torch.full_like(PHI, 0.4), PHI + math.pi)
    for found, expected in zip(
        turned, ellipticity_from_axis_ratio(torch.full_like(PHI, 0.4), PHI), strict=True
    ):
        assert_close(found, expected)


def test_position_angle_of_known_axes():
    """North is 0; a quarter turn from +x, in degrees from +y towards −x."""
    phi = torch.tensor([0.0, 45.0, 90.0, 135.0, 179.0], dtype=torch.float64).deg2rad()
    expected = torch.tensor([90.0, -45.0, 0.0, 45.0, 89.0], dtype=torch.float64)
    assert_close(position_angle_deg(phi), expected)


def test_position_angle_round_trip():
    angle = position_angle_deg(PHI)
    assert ((angle > -90) & (angle <= 90)).all()
    assert_close(torch.remainder(torch.deg2rad(angle + 90), math.pi), PHI)
