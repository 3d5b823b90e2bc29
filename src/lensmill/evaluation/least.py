"""Least: what figures of Table 1 come to at the information limit, beside what they are."""

import numpy as np
from numpy.typing import NDArray

from lensmill.evaluation.summary import scaled
from lensmill.evaluation.table import Column, Table, shared
from lensmill.evaluation.targets import Ranges, scaled_errors, targets
from lensmill.stages.posterior import PARAMETERS

PICTURES = ("display_psnr_denoised", "display_psnr_source_chained")
MAE = "mae_chained"
LEAST = {f"sigma_{name}_limit" for name in PARAMETERS}
DRAWS = 256
"""Answers drawn about each lens' truth, for the mean error at the limit."""


def beside(
    figure: str, table: Table, limits: Table, ranges: Ranges | None
) -> tuple[Column, Column] | None:
    """(ours, at the limit) of a figure of `summarise`, an example each: of the systems that have
    both, as many as those are. None where the figure has no limit.

    ranges: of the targets in training, for the paper's MAE.
    """
    chain, best = shared(table, limits)
    name = figure.removesuffix("_mean")
    if name in PICTURES and name in chain and f"{name}_limit" in best:
        pair = chain[name], best[f"{name}_limit"]
    elif figure == MAE and ranges and "theta_E_predicted" in chain and best.keys() >= LEAST:
        pair = scaled(chain, "chained", ranges).mean(1), least_errors(chain, best, ranges)
    else:
        return None
    known = np.isfinite(pair[0]) & np.isfinite(pair[1])
    return (pair[0][known], pair[1][known]) if known.any() else None


def least_errors(truth: Table, limits: Table, ranges: Ranges) -> NDArray[np.float64]:
    """Mean of the paper's scaled errors of θ_E, q and φ where ln θ_E, e1 and e2 have the least
    standard deviations, each by itself: (example,), NaN of what is no lens."""
    noise = np.random.default_rng(0).standard_normal((DRAWS, 3))
    found = np.full(len(truth["theta_E"]), np.nan)
    for k in np.flatnonzero(np.isfinite(limits["sigma_ln_theta_E_limit"])):
        sigma = [float(limits[f"sigma_{name}_limit"][k]) for name in PARAMETERS]
        off = noise * sigma
        true = np.array([float(truth[name][k]) for name in ("theta_E", "e1", "e2")])
        drawn = true[0] * np.exp(off[:, 0]), true[1] + off[:, 1], true[2] + off[:, 2]
        same = (np.full(DRAWS, value) for value in true)
        found[k] = scaled_errors(targets(*drawn), targets(*same), ranges, circular=False).mean()
    return found
