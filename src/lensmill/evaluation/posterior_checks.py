"""Posterior checks: is the whole posterior right, in shape and in all its parameters at once?

Each check turns an example into a number that is uniform between 0 and 1 where posteriors are
right: PITs (`calibration.pit`) and SBC's ranks for a parameter by itself, TARP's share for all
parameters together. `uniformity_distance` says how far from uniform they are.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from lensmill.stages.posterior import Mixture

DRAWS = 99
"""Draws of each posterior: ranks run from 0 to 99."""
LOWEST, HIGHEST = (-1.2, -0.5, -0.5), (1.2, 0.5, 0.5)
"""The box of (ln θ_E/arcsec, e1, e2) that TARP's reference points fill, and its unit of length."""

Draws = Float[Tensor, "batch draw parameter"]
Values = Float[Tensor, "batch parameter"]
Column = Float[np.ndarray, " example"]


def ranks(draws: Draws, truth: Values) -> Int[Tensor, "batch parameter"]:
    """How many draws lie below the truth, for each parameter (SBC: Talts et al. 2018)."""
    return (draws < truth[:, None]).sum(1)


def tarp_share(draws: Draws, truth: Values, reference: Values) -> Float[Tensor, " batch"]:
    """Share of draws that are nearer to a random reference point than the truth is.

    TARP (Lemos et al. 2023): uniform for every choice of references only if posteriors are right.
    Distances are Euclidean in units of the box's sides.
    """
    side = draws.new_tensor(HIGHEST) - draws.new_tensor(LOWEST)
    near = ((draws - reference[:, None]) / side).square().sum(-1)
    far = ((truth - reference) / side).square().sum(-1)
    return (near < far[:, None]).to(draws.dtype).mean(1)


def references(count: int, generator: torch.Generator) -> Values:
    """Reference points for TARP, uniform in the box."""
    low, high = torch.tensor(LOWEST), torch.tensor(HIGHEST)
    return low + (high - low) * torch.rand(count, len(LOWEST), generator=generator)


def check(mixture: Mixture, truth: Values, seed: int) -> dict[str, Tensor]:
    """`rank` (batch, parameter) and `tarp` (batch,) of a batch on the CPU."""
    generator = torch.Generator().manual_seed(seed)
    draws = mixture.sample(DRAWS, generator)
    reference = references(len(truth), generator)
    return {"rank": ranks(draws, truth), "tarp": tarp_share(draws, truth, reference)}


def sharpness(mixture: Mixture) -> Float[Tensor, "batch parameter"]:
    """Standard deviation of each parameter's marginal posterior."""
    variance = mixture.scale_tril.square().sum(-1)
    offset = mixture.mean - mixture.expectation()[:, None]
    weight = mixture.log_weight.exp()[..., None]
    return (weight * (variance + offset.square())).sum(1).sqrt()


def uniformity_distance(value: Column) -> float:
    """Largest gap between the shares of values below x and x itself (Kolmogorov & Smirnov).

    About 0.87/√n of n values that are uniform. Of TARP's shares it is the largest gap between the
    expected coverage and the level; up to 0.01 of it is the grain of 99 draws. NaN of no example.
    """
    count = len(value)
    if count == 0:
        return float("nan")
    ordered, steps = np.sort(value), np.arange(count + 1) / count
    return float(max((steps[1:] - ordered).max(), (ordered - steps[:-1]).max()))


def histogram(value: Column, bins: int = 10) -> NDArray[np.int64]:
    """How many values fall into each of `bins` parts of [0, 1]."""
    return np.histogram(value, bins, (0.0, 1.0))[0].astype(np.int64)


def expected_coverage(
    share: Column, levels: Float[np.ndarray, " level"]
) -> Float[np.ndarray, " level"]:
    """Of TARP's regions of each level, the share that holds the truth; nan of no lens at all."""
    if len(share) == 0:
        return np.full(len(levels), np.nan)
    return (share[:, None] < levels).mean(0)
