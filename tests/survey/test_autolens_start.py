"""PyAutoLens: its published convergence, and its own package where installed, is our lens."""

import math

import numpy as np
import pytest
import torch

from lensmill.physics.lens import sie_convergence, sie_deflection
from lensmill.survey.autolens_start import autolens_start, einstein_radius_autolens

BANDS = ("g", "r", "i")
X, Y = np.meshgrid(np.linspace(-2, 2, 7), np.linspace(-1.5, 1.6, 6))


def ours(row):
    """q, φ and our mass as tensors."""
    size = math.hypot(row["e1"], row["e2"])
    values = (row["theta_E"], (1 - size) / (1 + size), 0.5 * math.atan2(row["e2"], row["e1"]))
    return tuple(torch.tensor(value, dtype=torch.float64) for value in values)


def arguments(row):
    found = autolens_start(row, BANDS)["mass"]["arguments"]
    return found["centre"]["values"], found["ell_comps"]["values"], found["einstein_radius"]


@pytest.mark.parametrize("q", [0.2, 0.7, 1.0])
def test_there_and_back(q):
    theirs = einstein_radius_autolens(1.3, q)
    assert theirs * 2 * math.sqrt(q) / (1 + q) == pytest.approx(1.3)
    assert theirs >= 1.3


def test_the_published_convergence_is_ours(candidate_rows):
    """κ = θ_AL / (1+q) / √(x² + y²/q²) along the axis that ell_comps (y, x) tell."""
    row = candidate_rows[1]
    centre, (first, second), theta_AL = arguments(row)
    size, phi = math.hypot(first, second), 0.5 * math.atan2(first, second)
    q = (1 - size) / (1 + size)
    u = math.cos(phi) * X + math.sin(phi) * Y
    v = math.cos(phi) * Y - math.sin(phi) * X
    theirs = theta_AL / (1 + q) / np.sqrt(u**2 + (v / q) ** 2)
    expected = sie_convergence(torch.from_numpy(X), torch.from_numpy(Y), *ours(row))
    np.testing.assert_allclose(theirs, expected.numpy(), rtol=1e-6)
    assert centre == [0.0, 0.0]


def test_widths_are_the_posteriors(candidate_rows):
    sigma = autolens_start(candidate_rows[1], BANDS)["sigma"]
    assert sigma["ell_comps"] == [0.03, 0.02]
    assert sigma["einstein_radius"] == pytest.approx(0.06, rel=0.05)


@pytest.mark.filterwarnings("ignore")
def test_the_package_deflects_as_ours(candidate_rows):
    autogalaxy = pytest.importorskip("autogalaxy")
    from autonerves.dictable import from_dict

    row = candidate_rows[1]
    profile = from_dict(autolens_start(row, BANDS)["mass"])
    assert isinstance(profile, autogalaxy.mp.Isothermal)
    grid = autogalaxy.Grid2DIrregular(np.stack([Y.ravel(), X.ravel()], 1))
    theirs = np.array(profile.deflections_yx_2d_from(grid=grid))
    expected = sie_deflection(torch.from_numpy(X), torch.from_numpy(Y), *ours(row))
    for axis, alpha in zip((1, 0), expected, strict=True):
        np.testing.assert_allclose(theirs[:, axis], alpha.numpy().ravel(), atol=1e-5)
