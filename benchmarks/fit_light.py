"""Fit how much of a galaxy's light is bulge, and how much redder, to rows of cosmoDC2.

python benchmarks/fit_light.py FOLDER > src/.../population/cosmodc2_light.json

FOLDER: `cosmodc2_sample_3500.csv` (observed magnitudes, bulge fractions) and `galaxies/*.parquet`
(SEDs of bulge, disk and knots) of LSSTDESC/skyCatalogs. What leaves the rows: M_r and rest-frame
g − r as lines in the observed g − i at a few redshifts; a multinomial logistic regression of {no
bulge, both, no disk} on products
of M_r, z and rest g − r; mean and scatter of logit B/T where there are
both; and by redshift the mean and scatter of how much redder the bulge is.
"""

import json
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.csv
import pyarrow.parquet
from sklearn.linear_model import LogisticRegression

from lensmill.simulation.population.cosmodc2 import distance_modulus, features

NODES = np.array([0.05, 0.35, 0.5, 0.65, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.1, 2.5, 2.9])
G_BINS, R_BINS = slice(10, 15), slice(15, 18)
"""Of the 30 top-hat bins of an SED (rest frame): 4048–5467 Å and 5467–6548 Å."""
NO_BULGE, NO_DISK = 0.005, 0.99
"""B/T in r below the first counts as no bulge, above the second as no disk."""


def read(folder: Path) -> dict[str, np.ndarray]:
    """Columns of the sample, and M_r and rest-frame g − r from the SEDs."""
    table = pyarrow.csv.read_csv(folder / "cosmodc2_sample_3500.csv")
    rows = {name: table[name].to_numpy() for name in table.column_names}
    rows["z"] = rows.pop("redshift_hubble")
    seds = _seds(sorted((folder / "galaxies").glob("*.parquet")))
    # The 500 nearest galaxies (z < 0.07) have no SED here: their K-correction is none.
    near_g = rows["mag_g_sed"] - distance_modulus(rows["z"])
    near_r = rows["mag_r_sed"] - distance_modulus(rows["z"])
    near = zip(near_g, near_r, strict=True)
    rest = [seds.get(key, fall) for key, fall in zip(rows["galaxy_id"], near, strict=True)]
    g, r = np.array(rest).T
    return {**rows, "absolute": r, "rest_colour": g - r}


def _seds(files: list[Path]) -> dict[int, tuple[float, float]]:
    """(M_g, M_r) by galaxy_id; an SED is in units of an AB magnitude of zero."""
    found = {}
    for file in files:
        table = pyarrow.parquet.read_table(file)
        parts = [np.array(table[f"sed_val_{part}"].to_pylist()) for part in ("bulge", "disk")]
        total = sum(parts) + np.array(table["sed_val_knots"].to_pylist())
        magnitudes = [-2.5 * np.log10(total[:, bins].mean(1)) for bins in (G_BINS, R_BINS)]
        found.update(
            zip(table["galaxy_id"].to_pylist(), zip(*magnitudes, strict=True), strict=True)
        )
    return found


def rest_frame(rows: dict[str, np.ndarray]) -> dict[str, list]:
    """Lines in g − i at each redshift: M_r − (i − distance modulus), and rest-frame g − r."""
    colour = rows["mag_g_sed"] - rows["mag_i_sed"]
    absolute = rows["absolute"] - (rows["mag_i_sed"] - distance_modulus(rows["z"]))
    near = [np.abs(rows["z"] - node) < max(0.05, 0.12 * node) for node in NODES]
    return {
        "redshift": NODES.tolist(),
        "absolute": [np.polyfit(colour[s], absolute[s], 1)[::-1].round(4).tolist() for s in near],
        "rest_colour": [
            np.polyfit(colour[s], rows["rest_colour"][s], 1)[::-1].round(4).tolist() for s in near
        ],
    }


def bulge_fraction(rows: dict[str, np.ndarray]) -> dict[str, list]:
    """Logits of {no bulge, both, no disk}, and logit B/T where there are both."""
    x = features(rows["absolute"], rows["z"], rows["rest_colour"])
    share = rows["bt_r"]
    kind = np.where(share < NO_BULGE, 0, np.where(share > NO_DISK, 2, 1))
    kinds = LogisticRegression(C=10, fit_intercept=False, max_iter=5000).fit(x, kind)
    both = kind == 1
    logit = np.log(share[both] / (1 - share[both]))
    mean = np.linalg.lstsq(x[both], logit, rcond=None)[0]
    residual = logit - x[both] @ mean
    return {
        "kinds": kinds.coef_.round(4).tolist(),
        "logit": mean.round(4).tolist(),
        "logit_scatter": np.quantile(residual, np.linspace(0, 1, 21)).round(3).tolist(),
    }


def redder(rows: dict[str, np.ndarray]) -> dict[str, list]:
    """How much redder bulges are than their disks in g − r and r − i, by redshift."""
    odds = {band: rows[f"bt_{band}"] / (1 - rows[f"bt_{band}"] + 1e-12) for band in "gri"}
    both = (rows["bt_r"] > 0.02) & (rows["bt_r"] < 0.98) & (rows["bt_g"] > 1e-4)
    g, r, i = (-2.5 * np.log10(np.where(both, odds[band], 1)) for band in "gri")
    edges = [0, 0.2, 0.6, 1.0, 1.5, 2.0, 3.1]
    bins = [both & (rows["z"] >= low) & (rows["z"] < high) for low, high in pairwise(edges)]
    return {
        "redshift": [round(float(np.median(rows["z"][s])), 3) for s in bins],
        "g_minus_r": [_summary((g - r)[s]) for s in bins],
        "r_minus_i": [_summary((r - i)[s]) for s in bins],
    }


def _summary(values: np.ndarray) -> list[float]:
    """Median, and half of the central 68 %."""
    low, middle, high = np.percentile(values, [16, 50, 84])
    return [round(middle, 3), round((high - low) / 2, 3)]


def main() -> None:
    """Fit and print."""
    rows = read(Path(sys.argv[1]))
    model = {
        "source": "cosmoDC2 (LSST DESC), 3500 rows by way of LSSTDESC/skyCatalogs",
        "command": "benchmarks/fit_light.py cosmodc2",
        "rest_frame": rest_frame(rows),
        "bulge_fraction": bulge_fraction(rows),
        "redder": redder(rows),
    }
    print(json.dumps(model))


if __name__ == "__main__":
    main()
