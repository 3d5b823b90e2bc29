"""Fit the galaxies behind the lenses for the `Collett` population.

python benchmarks/fit_sources.py PATH/lsst.1sqdegree_catalog2.txt > src/.../population/galaxies.json

Redshift, M_r, r, g − r and r − i of the galaxies brighter than r = 28 become normal scores, and
these a mixture of Gaussians: quantiles and mixture are all that leaves the catalogue.
"""

import json
import sys

import numpy as np
from scipy.stats import ks_2samp, norm, rankdata
from sklearn.mixture import GaussianMixture

COMPONENTS = 32
EDGE = np.array([0, 2e-4, 1e-3, 4e-3])
LEVELS = np.concatenate([EDGE, np.linspace(0.01, 0.99, 50), 1 - EDGE[::-1]])
FAINTEST = 28.0
AREA_ARCSEC2 = 0.04 * 3600**2


def columns(table: np.ndarray) -> dict[str, np.ndarray]:
    """The variables of the model, from the catalogue's columns."""
    redshift, g, r, i, absolute = table[:, 2], *table[:, 3:6].T, table[:, 7]
    return {
        "ln_z": np.log(redshift),
        "absolute_magnitude": absolute,
        "r": r,
        "g_minus_r": np.clip(g - r, -1, 4),
        "r_minus_i": np.clip(r - i, -1, 2.5),
    }


def main() -> None:
    """Fit, check the marginals, print."""
    table = np.genfromtxt(sys.argv[1], delimiter=",")
    used = np.isfinite(table[:, [2, 3, 4, 5, 7]]).all(1) & (table[:, 2] > 0.01)
    table = table[used & (table[:, 4] < FAINTEST)]
    variables = columns(table)
    scores = np.stack([norm.ppf((rankdata(v) - 0.5) / len(v)) for v in variables.values()], 1)
    mixture = GaussianMixture(COMPONENTS, random_state=0, max_iter=300, reg_covar=1e-3).fit(scores)
    quantiles = {name: np.quantile(value, LEVELS) for name, value in variables.items()}
    drawn = norm.cdf(mixture.sample(100_000)[0])
    for (name, value), u in zip(variables.items(), drawn.T, strict=True):
        made = np.interp(u, LEVELS, quantiles[name])
        print(name, round(ks_2samp(value, made).statistic, 4), file=sys.stderr)
    model = {
        "source": "LensPop (Collett 2015), lsst.1sqdegree_catalog2.txt: 0.04 deg², r < 28",
        "command": "benchmarks/fit_sources.py lsst.1sqdegree_catalog2.txt",
        "per_arcsec2": round(len(table) / AREA_ARCSEC2, 5),
        "levels": LEVELS.round(6).tolist(),
        "quantiles": {name: value.round(4).tolist() for name, value in quantiles.items()},
        "weights": mixture.weights_.round(5).tolist(),
        "means": mixture.means_.round(4).tolist(),
        "cholesky": np.linalg.cholesky(mixture.covariances_).round(4).tolist(),
    }
    print(json.dumps(model))


if __name__ == "__main__":
    main()
