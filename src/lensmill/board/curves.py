"""Curves: the critical curve of a candidate's lens, with the 68 % that its posterior allows."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

DIRECTIONS = 96
SAMPLES = 512
LARGEST_ELLIPTICITY = 0.95
NEEDED = ("theta_E", "theta_E_16", "theta_E_84", "e1", "e1_error", "e2", "e2_error")

Array = NDArray[np.float64]


def radius(
    theta_E: Float[np.ndarray, "*#a"],
    e1: Float[np.ndarray, "*#a"],
    e2: Float[np.ndarray, "*#a"],
    angle: Float[np.ndarray, "*#a"],
) -> Float[np.ndarray, "*a"]:
    """Radius (arcsec) of the critical curve of an SIE in the direction `angle`, radian from +x.

    There κ = 1/2: q u² + v²/q = θ_E², with u along the major axis (Kormann et al. 1994).
    """
    size = np.minimum(np.hypot(e1, e2), LARGEST_ELLIPTICITY)
    q, phi = (1 - size) / (1 + size), np.arctan2(e2, e1) / 2
    u, v = np.cos(angle - phi), np.sin(angle - phi)
    return theta_E / np.sqrt(q * u**2 + v**2 / q)


def critical_curves(row: Mapping[str, Any]) -> dict[str, list[list[float]]] | None:
    """The median curve and both edges of the 68 % band in each direction, as (x, y) in arcsec.

    About the stamp's centre, x to the right and y up. The catalogue keeps widths of the posterior
    alone, so ln θ_E, e1 and e2 are drawn as independent. None where the lens is not modelled.
    """
    known = (row.get(name) for name in NEEDED)
    values = [np.nan if value is None else float(value) for value in known]
    if not np.isfinite(values).all():
        return None
    angle = np.linspace(0, 2 * np.pi, DIRECTIONS, endpoint=False)
    radii = radius(*_samples(*values), angle)
    edges = np.quantile(radii, (0.16, 0.5, 0.84), axis=0)
    return {
        name: _points(edge, angle)
        for name, edge in zip(("inner", "median", "outer"), edges, strict=True)
    }


def _samples(
    theta_E: float, low: float, high: float, e1: float, e1_error: float, e2: float, e2_error: float
) -> tuple[Array, Array, Array]:
    """θ_E, e1 and e2, each (sample, 1)."""
    normal = np.random.default_rng(0).standard_normal((3, SAMPLES, 1))
    width = np.log(max(high, 1e-9) / max(low, 1e-9)) / 2
    return (
        theta_E * np.exp(width * normal[0]),
        e1 + e1_error * normal[1],
        e2 + e2_error * normal[2],
    )


def _points(radii: Array, angle: Array) -> list[list[float]]:
    points = np.stack([radii * np.cos(angle), radii * np.sin(angle)], -1)
    rounded: list[list[float]] = points.round(4).tolist()
    return rounded
