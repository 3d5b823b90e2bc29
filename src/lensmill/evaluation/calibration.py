"""Calibration: are stated probabilities the frequencies with which things happen?

A probability integral transform (PIT) is the posterior probability below the truth. Truths drawn
from their posteriors have uniform PITs (Dawid 1984).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_expit
from torch import Tensor

from lensmill.quantities import Batch
from lensmill.stages.posterior import Mixture
from lensmill.stages.regress import true_parameters

Column = NDArray[np.float64]


def pit(predicted: Batch, truth: Batch) -> Float[np.ndarray, "batch parameter"]:
    """PIT of (ln θ_E, e1, e2) under the posterior that `predicted` carries."""
    below = Mixture.of(predicted).cdf(true_parameters(truth))
    return below.double().cpu().numpy()


def inside(pit: Float[np.ndarray, " example"], level: float) -> Bool[np.ndarray, " example"]:
    """Which truths are inside the central interval of probability `level`."""
    return np.asarray(np.abs(pit - 0.5) <= level / 2)


def coverage(pit: Float[np.ndarray, " example"], level: float) -> float:
    """The share of them; NaN of no example."""
    return float(inside(pit, level).mean()) if len(pit) else float("nan")


@dataclass(frozen=True)
class Reliability:
    """Predicted probability against observed frequency, in bins of predicted probability."""

    predicted: Column  # mean of each bin; NaN of an empty one
    observed: Column  # share of positives in each bin; NaN of an empty one
    count: NDArray[np.int64]

    @property
    def expected_error(self) -> float:
        """Expected calibration error: mean |observed − predicted|, weighted by bin counts."""
        gap = np.abs(self.observed - self.predicted)
        return float(np.nansum(gap * self.count) / max(self.count.sum(), 1))


def reliability(
    probability: Float[np.ndarray, " example"],
    label: Bool[np.ndarray, " example"],
    bins: int = 10,
) -> Reliability:
    """The reliability curve in `bins` equal bins of [0, 1]."""
    place = np.minimum((probability * bins).astype(np.int64), bins - 1)
    count = np.bincount(place, minlength=bins)
    sums = (np.bincount(place, weight, bins) for weight in (probability, label.astype(float)))
    with np.errstate(invalid="ignore"):
        predicted, observed = (total / count for total in sums)
    return Reliability(predicted, observed, count)


def expected_calibration_error(
    probability: Float[np.ndarray, " example"],
    label: Bool[np.ndarray, " example"],
    bins: int = 10,
) -> float:
    """Mean |observed − predicted| over the bins of a reliability curve, weighted by counts."""
    return reliability(probability, label, bins).expected_error


def fit_temperature(
    logit: Float[np.ndarray, " example"], label: Bool[np.ndarray, " example"]
) -> float:
    """T in [1/20, 20] for which sigmoid(logit / T) is the likeliest (Guo+ 2017, §4.2).

    For `Classify.temperature`: fit it on the validation split, never on the test split.
    """
    signed = np.where(label, logit, -logit).astype(np.float64)

    def surprise(ln_temperature: float) -> float:
        return -float(log_expit(signed * np.exp(-ln_temperature)).mean())

    bounds = (-np.log(20.0), np.log(20.0))
    return float(np.exp(minimize_scalar(surprise, bounds=bounds, method="bounded").x))


def fit_spread(
    members: Sequence[Mixture], truth: Float[Tensor, "example parameter"], level: float = 0.68
) -> Float[Tensor, " parameter"]:
    """Factors in [1/5, 5] by which `members`, mixed, hold the truth in the share `level` of the
    central intervals of that level, for each parameter.

    For `Regress.spread`: each member is widened about its own mean. Wider intervals hold more, so
    the factors are bisected; each parameter has its own, as marginals know nothing of the others.
    """
    low = truth.new_full(truth.shape[1:], -math.log(5))
    high = -low
    for _ in range(24):
        middle = 0.5 * (low + high)
        below = Mixture.mixed([m.widened(middle.exp()) for m in members]).cdf(truth)
        held = ((below - 0.5).abs() <= level / 2).to(truth).mean(0)
        low, high = torch.where(held < level, middle, low), torch.where(held < level, high, middle)
    return (0.5 * (low + high)).exp()


GROUP = 100
"""Examples of which a factor is worth knowing."""


def fit_tilt(
    members: Sequence[Mixture], truth: Float[Tensor, "example parameter"], groups: int = 8
) -> Float[Tensor, " parameter"]:
    """By how much the factors of `fit_spread` hang on σ: d ln factor / d ln σ, within ±1.

    For `Regress.tilt`: of factors in groups of growing σ, the straight line. 0 of few examples.
    """
    sigma = Mixture.mixed(members).sigma().log()
    groups = min(groups, len(truth) // GROUP)
    if groups < 2:
        return torch.zeros_like(truth[0])
    return torch.stack([_slope(members, truth, sigma, k, groups) for k in range(truth.shape[1])])


def _slope(
    members: Sequence[Mixture], truth: Tensor, sigma: Tensor, parameter: int, groups: int
) -> Float[Tensor, ""]:
    """Of the ln factor of one parameter over its ln σ."""
    parts = sigma[:, parameter].argsort().chunk(groups)
    x = torch.stack([sigma[rows, parameter].mean() for rows in parts])
    y = torch.stack(
        [fit_spread([m.rows(at) for m in members], truth[at])[parameter] for at in parts]
    ).log()
    x = x - x.mean()
    return ((x * y).sum() / x.square().sum().clamp(min=1e-6)).clamp(-1, 1)
