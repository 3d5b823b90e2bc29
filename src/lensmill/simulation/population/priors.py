"""Priors: a first population, with the marginals and correlations of LensPop's LSST lenses.

A Gaussian copula over fourteen quantities of a lens and its source.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from torch import Tensor

from lensmill.simulation.counter import uniform
from lensmill.simulation.population.assembly import Assembly
from lensmill.simulation.population.light import Pairs

STREAM = 0
Array = NDArray[np.float64]


@cache
def _table() -> tuple[tuple[str, ...], Array, Array, Array]:
    """Variable names, quantile levels, marginals, Cholesky factor of the copula."""
    text = resources.files(__package__).joinpath("lsst_lenses.json").read_text()
    table = json.loads(text)
    marginals = np.array(list(table["marginals"].values()))
    correlation = np.array(table["correlation"]) + 1e-3 * np.eye(len(marginals))
    cholesky: Array = np.linalg.cholesky(correlation).astype(np.float64)
    cholesky = cholesky / np.sqrt(np.square(cholesky).sum(1, keepdims=True))
    return tuple(table["marginals"]), np.array(table["quantiles"]), marginals, cholesky


def draw_lensed_pairs(u: Array) -> dict[str, Array]:
    """Lens and source quantities from uniforms (n, 14): copula, then each marginal's quantiles."""
    names, levels, marginals, cholesky = _table()
    ranks = ndtr(ndtri(u) @ cholesky.T)
    columns = zip(names, marginals, ranks.T, strict=True)
    return {name: np.interp(rank, levels, marginal) for name, marginal, rank in columns}


@dataclass(frozen=True)
class Priors(Assembly):
    """LensPop's LSST lenses as a copula; sources lie and point in any direction."""

    def pairs(self, seed: int, indices: Int[Tensor, " batch"]) -> Pairs:
        u = uniform(seed, indices, STREAM, 16).numpy()
        angles = {"beta_angle": 2 * np.pi * u[:, 14], "phi_source": np.pi * u[:, 15]}
        return {**draw_lensed_pairs(u[:, :14]), **angles}
