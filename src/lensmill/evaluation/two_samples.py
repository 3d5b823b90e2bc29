"""Two samples: do two sets of objects come from one distribution, and which objects do not?

Features are arrays (object, feature). Nothing here is fitted to the objects it is then asked about.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from lensmill.evaluation.metrics import auroc
from lensmill.evaluation.statistics import Figure, figure

FOLDS = 5
COMPONENTS = 16
"""Principal components that a probe sees: few enough for a few dozen objects."""
PENALTY = 1.0
"""Of the probe's squared weights: a normal prior of width 1 on whitened features."""
SHRINKAGE = 0.1
"""Share of a covariance that is taken to be round."""
COMMON = 0.99
"""Share of the known objects that count as ordinary."""

Array = NDArray[np.float64]


def probe_auc(one: Array, other: Array) -> Figure:
    """How well a logistic probe tells the samples apart on objects it was not fitted to.

    Area under the curve: 0.5 where it cannot, 1 where it always can. NaN where a sample has fewer
    objects than there are folds.
    """
    if min(len(one), len(other)) < FOLDS:
        return Figure(float("nan"), float("nan"), len(one) + len(other))
    label = np.repeat([True, False], [len(one), len(other)])
    features = _principal(np.concatenate([one, other]))
    # One axis of many folds: each holds its share of both samples.
    fold = np.concatenate([np.arange(len(one)), np.arange(len(other))]) % FOLDS
    score = np.empty(len(label))
    for number in range(FOLDS):
        out = fold == number
        weights = _fitted(features[~out], label[~out])
        score[out] = _with_constant(features[out]) @ weights
    return figure(auroc, score, label)


def _principal(features: Array) -> Array:
    """The first principal components of standardised features, each of unit variance."""
    spread = features.std(0)
    scaled = (features - features.mean(0)) / np.where(spread > 0, spread, 1)
    u, size, _ = np.linalg.svd(scaled, full_matrices=False)
    kept = min(COMPONENTS, int((size > 1e-9 * size[0]).sum()))
    return np.asarray(u[:, :kept] * len(features) ** 0.5)


def _with_constant(features: Array) -> Array:
    return np.concatenate([features, np.ones((len(features), 1))], 1)


def _fitted(features: Array, label: NDArray[np.bool_]) -> Array:
    """Weights of a logistic regression in which both samples count alike."""
    design, sign = _with_constant(features), np.where(label, 1.0, -1.0)
    share = np.where(label, label.mean(), 1 - label.mean())
    weight = 0.5 / share

    def loss(w: Array) -> tuple[float, Array]:
        margin = sign * (design @ w)
        pull = PENALTY * np.append(w[:-1], 0)
        value = -(weight * log_expit(margin)).sum() + 0.5 * pull @ w
        return float(value), pull - design.T @ (weight * sign * expit(-margin))

    start = np.zeros(design.shape[1])
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B").x)


@dataclass(frozen=True)
class Classes:
    """Normal classes of one covariance, and the distance that few of their objects exceed."""

    centres: Array  # (class, feature)
    whitening: Array  # (feature, feature)
    limit: float

    @classmethod
    def of(cls, features: Array, label: NDArray[Any]) -> "Classes":
        """From known objects: every other one gives the classes, the others the limit."""
        known, known_label = features[::2], label[::2]
        names = np.unique(known_label)
        centres = np.stack([known[known_label == name].mean(0) for name in names])
        residual = known - centres[np.searchsorted(names, known_label)]
        classes = cls(centres, _whitening(residual), np.inf)
        limit = float(np.quantile(classes.distance(features[1::2]), COMMON))
        return cls(centres, classes.whitening, limit)

    def distance(self, features: Array) -> Array:
        """Mahalanobis distance to the nearest class, (object,) (Lee et al. 2018)."""
        offset = (features[:, None] - self.centres) @ self.whitening
        return np.asarray(np.linalg.norm(offset, axis=-1).min(1))

    def strange_share(self, features: Array) -> float:
        """Share of objects beyond the limit; of known ones about 1 − `COMMON`."""
        return float((self.distance(features) > self.limit).mean())


def _whitening(residual: Array) -> Array:
    """The inverse root of the residuals' covariance, shrunk towards a round one."""
    covariance = residual.T @ residual / max(len(residual) - 1, 1)
    level = max(float(np.trace(covariance)) / len(covariance), 1e-12)
    shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * level * np.eye(len(covariance))
    values, vectors = np.linalg.eigh(shrunk)
    return np.asarray(vectors / np.sqrt(values))
