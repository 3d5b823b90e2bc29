"""Quantiles of the seeing and sky of LSST's visits, for `lensmill.simulation.visits`.

python benchmarks/fit_visits.py PATH/opsim_visits_gri.csv > src/lensmill/simulation/visits.json

Quantiles per band are all that leaves the table. Prints, to stderr, what they leave out: the
correlations of seeing and sky, within a visit and from one row to the next.
"""

import csv
import json
import sys

import numpy as np

COLUMNS = ("FWHMgeom", "filtSkyBrightness")
LEVELS = np.concatenate([[0, 0.01, 0.025], np.linspace(0.05, 0.95, 19), [0.975, 0.99, 1]])


def read(path: str) -> dict[str, dict[str, np.ndarray]]:
    """{band: {column: values}}."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name != "filter"]
    return {
        band: {n: np.array([float(r[n]) for r in rows if r["filter"] == band]) for n in names}
        for band in "gri"
    }


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's."""
    return round(float(np.corrcoef(a, b)[0, 1]), 2)


def main() -> None:
    """Fit, say what is left out, print."""
    table = read(sys.argv[1])
    for band, visit in table.items():
        seeing, sky = (visit[name] for name in COLUMNS)
        found = {
            "seeing with sky": correlation(seeing, sky),
            "seeing, row to row": correlation(seeing[1:], seeing[:-1]),
            "sky, row to row": correlation(sky[1:], sky[:-1]),
        }
        print(band, len(seeing), found, file=sys.stderr)
    model = {
        "source": "LSSTDESC/Twinkles (MIT): 586 visits simulated by OpSim, opsim_visits_gri.csv",
        "command": "benchmarks/fit_visits.py opsim_visits_gri.csv",
        "levels": LEVELS.round(4).tolist(),
        "bands": {
            band: {name: np.quantile(visit[name], LEVELS).round(4).tolist() for name in COLUMNS}
            for band, visit in table.items()
        },
    }
    print(json.dumps(model))


if __name__ == "__main__":
    main()
