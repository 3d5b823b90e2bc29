"""Curves: critical curves of the SIE that the physics has, with the posterior's width."""

import numpy as np
import pytest
import torch

from lensmill.board.curves import critical_curves, radius
from lensmill.physics.lens import sie_convergence
from lensmill.units import axis_ratio_from_ellipticity

ROW = {
    "theta_E": 1.3,
    "theta_E_16": 1.2,
    "theta_E_84": 1.4,
    "e1": 0.15,
    "e1_error": 0.03,
    "e2": -0.1,
    "e2_error": 0.02,
}
ANGLE = np.linspace(0, 2 * np.pi, 90, endpoint=False)


def test_convergence_is_a_half_on_it():
    e1, e2 = np.array([[0.15], [-0.2], [0.0]]), np.array([[-0.1], [0.05], [0.0]])
    r = radius(np.array([[1.3], [0.7], [1.0]]), e1, e2, ANGLE)
    q, phi = axis_ratio_from_ellipticity(torch.tensor(e1), torch.tensor(e2))
    theta_E = torch.tensor([[1.3], [0.7], [1.0]], dtype=torch.float64)
    x, y = (torch.tensor(r * f(ANGLE)) for f in (np.cos, np.sin))
    kappa = sie_convergence(x, y, theta_E, q, phi)
    np.testing.assert_allclose(kappa, 0.5, rtol=1e-6)


def test_it_encloses_the_area_of_the_einstein_radius():
    r = radius(np.array(1.3), np.array(0.15), np.array(-0.1), ANGLE)
    assert np.mean(r**2) == pytest.approx(1.3**2, rel=1e-6)


def _radii(points):
    return np.hypot(*np.array(points).T)


def test_the_band_is_as_wide_as_the_posterior():
    curves = critical_curves(ROW)
    inner, median, outer = (_radii(curves[name]) for name in ("inner", "median", "outer"))
    assert ((inner < median) & (median < outer)).all()
    round_row = ROW | {"e1": 0.0, "e2": 0.0, "e1_error": 0.0, "e2_error": 0.0}
    width = {name: _radii(points).mean() for name, points in critical_curves(round_row).items()}
    assert width["inner"] == pytest.approx(1.2, abs=0.02)
    assert width["outer"] == pytest.approx(1.4, abs=0.02)
    assert (outer - inner).mean() > width["outer"] - width["inner"]


def test_a_lens_that_is_not_modelled_has_none():
    assert critical_curves(ROW | {"theta_E": None}) is None
    assert critical_curves(ROW | {"e1": float("nan")}) is None
    assert critical_curves({"id": "bad"}) is None
