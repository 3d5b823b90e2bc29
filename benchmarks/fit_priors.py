"""Measure the marginals and rank correlations of a LensPop list for the `Priors` population.

python benchmarks/fit_priors.py PATH/lenses_LSSTc.txt > src/.../population/lsst_lenses.json

Only summary statistics leave the list: quantiles of each column, and the correlation of their
normal scores (a Gaussian copula). Source radii below 0.01″, the list's
rounding, count as 0.01″.
"""

import json
import sys

import numpy as np
from scipy.stats import norm, rankdata

QUANTILES = [0, 0.001, 0.01, 0.025, 0.05, 0.1, 0.16, 0.25, 0.35, 0.5]
QUANTILES = QUANTILES + [1 - p for p in reversed(QUANTILES[:-1])]


def columns(table: np.ndarray) -> dict[str, np.ndarray]:
    """The variables of the copula, from the 25 columns of a LensPop list."""
    beta = np.hypot(table[:, 9], table[:, 10]) / table[:, 2]
    return {
        "z_lens": table[:, 0],
        "z_source": table[:, 1],
        "ln_theta_E": np.log(table[:, 2]),
        "q_lens": table[:, 4],
        "ln_radius_lens": np.log(table[:, 5]),
        "i_lens": table[:, 8],
        "g_minus_r_lens": table[:, 6] - table[:, 7],
        "r_minus_i_lens": table[:, 7] - table[:, 8],
        "beta_over_theta_E": beta,
        "q_source": table[:, 11],
        "ln_radius_source": np.log(np.maximum(table[:, 13], 0.01)),
        "i_source": table[:, 16],
        "g_minus_r_source": table[:, 14] - table[:, 15],
        "r_minus_i_source": table[:, 15] - table[:, 16],
    }


def main() -> None:
    table = np.loadtxt(sys.argv[1])
    variables = columns(table)
    scores = [norm.ppf((rankdata(v) - 0.5) / len(v)) for v in variables.values()]
    marginals = {k: np.round(np.quantile(v, QUANTILES), 4).tolist() for k, v in variables.items()}
    print(
        json.dumps(
            {
                "source": "LensPop (Collett 2015), LSST optimal coadd list, 13,126 lenses",
                "command": "benchmarks/fit_priors.py lenses_LSSTc.txt",
                "quantiles": np.round(QUANTILES, 4).tolist(),
                "marginals": marginals,
                "correlation": np.round(np.corrcoef(scores), 3).tolist(),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
