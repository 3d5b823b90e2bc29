"""Light as drawn against rows of cosmoDC2: Kolmogorov–Smirnov distances, galaxy for galaxy.

    python benchmarks/light.py FOLDER

Every row of `fit_light.py`'s sample is drawn anew ten times from its magnitudes, its redshift and
the flatness of its whole light. Writes benchmarks/results/light.json.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from fit_light import read
from scipy.stats import ks_2samp

from lensmill.provenance import provenance
from lensmill.simulation.population import cosmodc2
from lensmill.simulation.population.light import Light

RESULTS = Path(__file__).parent / "results" / "light.json"
DRAWS = 10
PARTS = ("bulge", "disk")
GROUPS = {
    "all": (-30, 0, 0, 9),
    "M_r < -21": (-30, -21, 0, 9),
    "-21 < M_r < -20": (-21, -20, 0, 9),
    "-20 < M_r < -18, z < 1": (-20, -18, 0, 1),
    "-20 < M_r < -18, z > 1": (-20, -18, 1, 9),
    "-18 < M_r, z < 1": (-18, 0, 0, 1),
    "-18 < M_r, z > 1": (-18, 0, 1, 9),
}
"""M_r and redshift between which rows are compared."""


def as_pairs(rows: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The rows as lens galaxies."""
    epsilon = [(1 - rows[f"q_{part}"] ** 2) / (1 + rows[f"q_{part}"] ** 2) for part in PARTS]
    total = rows["bt_r"] * epsilon[0] + (1 - rows["bt_r"]) * epsilon[1]
    return {
        "z_lens": rows["z"],
        "q_lens": np.sqrt((1 - total) / (1 + total)),
        "i_lens": rows["mag_i_sed"],
        "r_minus_i_lens": rows["mag_r_sed"] - rows["mag_i_sed"],
        "g_minus_r_lens": rows["mag_g_sed"] - rows["mag_r_sed"],
    }


def of_rows(rows: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The quantities compared, of the catalogue."""
    sizes = {f"size_{part}": rows[f"size_{part}_true"] for part in PARTS}
    ratios = {f"q_{part}": rows[f"q_{part}"] for part in PARTS}
    return {**{f"bt_{band}": rows[f"bt_{band}"] for band in "gri"}, **sizes, **ratios}


def of_light(light: Light) -> dict[str, np.ndarray]:
    """The quantities compared, as drawn."""
    flux = 10 ** (-0.4 * light.magnitude)
    share = flux[:, 0] / flux.sum(1)
    sizes = (light.half_light_radius / np.sqrt(light.q)).T
    return {
        **{f"bt_{band}": share[:, number] for number, band in enumerate("gri")},
        **{f"size_{part}": size for part, size in zip(PARTS, sizes, strict=True)},
        **{f"q_{part}": q for part, q in zip(PARTS, light.q.T, strict=True)},
    }


def main() -> None:
    """Compare, print and write."""
    rows = read(Path(sys.argv[1]))
    again = {name: np.tile(value, DRAWS) for name, value in as_pairs(rows).items()}
    drawn = of_light(cosmodc2.lens(again, 1, torch.arange(len(again["z_lens"]))))
    result = {}
    for name, (bright, faint, near, far) in GROUPS.items():
        m, z = rows["absolute"], rows["z"]
        chosen = (m > bright) & (m <= faint) & (z > near) & (z <= far)
        distances = {
            key: _distance(value[chosen], drawn[key][np.tile(chosen, DRAWS)])
            for key, value in of_rows(rows).items()
        }
        result[name] = {"rows": int(chosen.sum()), **distances}
        print(name, result[name])
    command = "benchmarks/light.py cosmodc2"
    RESULTS.write_text(json.dumps({"ks": result, **provenance(command=command)}, indent=1) + "\n")


def _distance(rows: np.ndarray, drawn: np.ndarray) -> float:
    return round(float(ks_2samp(_coarse(rows), _coarse(drawn)).statistic), 3)


def _coarse(value: np.ndarray) -> np.ndarray:
    """B/T within 1 % of none or all count as that, in the rows as in the draws."""
    return np.where(value < 0.01, 0, np.where(np.abs(value - 1) < 0.01, 1, value))


if __name__ == "__main__":
    main()
