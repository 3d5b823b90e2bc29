"""Targets: the paper's error of a mass model, with every target scaled to [0, 1]."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray

from lensmill.simulation.simulator import Simulator
from lensmill.units import axis_ratio_from_ellipticity

NAMES = ("theta_E", "q", "phi")
DRAWS = 2048
"""Systems of the training split that tell the targets' ranges."""

Column = Float[np.ndarray, " example"]
Ranges = Mapping[str, Sequence[float]]
"""Smallest and largest θ_E (arcsec), q and φ (radian from +x) of the lenses in training."""


def target_ranges(
    simulator: Simulator, seed: int, draws: int = DRAWS
) -> dict[str, tuple[float, float]]:
    """The ranges over the first `draws` systems of the training split, NaN if none is a lens;
    nothing is rendered."""
    scene = simulator.population.draw(seed, torch.arange(draws))
    values = (scene.mass.theta_E, scene.mass.q, scene.mass.phi)
    lenses = [value[scene.is_lens] for value in values]
    if not scene.is_lens.any():
        return dict.fromkeys(NAMES, (float("nan"), float("nan")))
    return {
        name: (float(value.min()), float(value.max()))
        for name, value in zip(NAMES, lenses, strict=True)
    }


def targets(theta_E: Column, e1: Column, e2: Column) -> dict[str, NDArray[np.float64]]:
    """θ_E (arcsec), q and φ (radian from +x, in [0, π))."""
    q, phi = axis_ratio_from_ellipticity(
        torch.from_numpy(e1).double(), torch.from_numpy(e2).double()
    )
    return {"theta_E": theta_E.astype(np.float64), "q": q.numpy(), "phi": phi.numpy()}


def scaled_errors(
    predicted: Mapping[str, Column], truth: Mapping[str, Column], ranges: Ranges, circular: bool
) -> NDArray[np.float64]:
    """|error| of each target over its range: (example, target), in the order of `NAMES`.

    The paper takes φ as a plain number, so 179° and 1° are as far apart as can be; `circular`
    goes the short way round.
    """
    error = {name: np.abs(predicted[name] - truth[name]) for name in NAMES}
    if circular:
        error["phi"] = np.minimum(error["phi"], np.pi - error["phi"])
    return np.stack([error[name] / (ranges[name][1] - ranges[name][0]) for name in NAMES], 1)
