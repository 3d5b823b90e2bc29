"""The `Collett` population against LensPop's list, and the number of LSST's lenses.

    python benchmarks/population.py PATH/lenses_LSSTc_rerun.txt [LENSES]

Two-sample Kolmogorov–Smirnov distances. `mu_retraced` compares our magnifications with those that
our own tracing gives for the list's systems: what remains between it and `mu` is the measurement
of μ, not the population. Writes benchmarks/results/population.json.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from lensmill.provenance import provenance
from lensmill.simulation.population.background import Galaxies
from lensmill.simulation.population.collett import ATTEMPTS, Collett, chosen_rows, in_order
from lensmill.simulation.population.detection import traced
from lensmill.simulation.population.pairs import Pairs, draws_on_the_whole_sky

RESULTS = Path(__file__).parent / "results" / "population.json"
LEVELS = (5, 16, 50, 84, 95)
BATCH = 400
SKY = 41_252.96
"""Square degrees."""
Array = NDArray[np.float64]


def listed(path: Path) -> dict[str, Array]:
    """The columns of LensPop's list, and its systems' magnifications by our tracing."""
    table = np.loadtxt(path)
    z_lens, z_source, theta_E, sigma, q, _, x, y, q_source, angle, radius, mu = table[:, :12].T
    source = Galaxies(z_source, *table[:, [13, 17, 21]].T, radius, q_source)
    # The list's lenses have their long axis along +y.
    turned = Pairs(theta_E > 0, source, z_lens, sigma, theta_E, q, y, x, np.radians(angle))
    flux = [traced(part).flux.sum((1, 2)).numpy() for part in _split(turned)]
    return {
        "z_lens": z_lens,
        "z_source": z_source,
        "theta_E": theta_E,
        "velocity_dispersion": sigma,
        "q": q,
        "lens_i": table[:, 20],
        "source_i": table[:, 21],
        "source_radius": radius,
        "mu": mu,
        "mu_retraced": np.concatenate(flux),
    }


def _split(pairs: Pairs) -> list[Pairs]:
    rows = np.array_split(np.arange(len(pairs.z_lens)), len(pairs.z_lens) // BATCH + 1)
    return [chosen_rows(pairs, part) for part in rows]


def drawn(count: int) -> tuple[dict[str, Array], float]:
    """Columns of `count` or more of our lenses, and the share of draws that are detected."""
    population, found, tried = Collett(), [], 0
    while sum(len(rows) for rows, _ in found) < count:
        rows, lenses = population.attempt(1, torch.arange(tried, tried + BATCH), 0)
        found.append((rows + tried, lenses))
        tried += BATCH
    lenses = in_order(found)
    # A row counts once however many of its draws are lenses.
    share = 1 - (1 - len(lenses.magnification) / tried) ** (1 / ATTEMPTS)
    pair, source = lenses.pair, lenses.pair.source
    columns = {
        "z_lens": pair.z_lens,
        "z_source": source.redshift,
        "theta_E": pair.theta_E,
        "velocity_dispersion": pair.velocity_dispersion,
        "q": pair.q_lens,
        "lens_i": lenses.magnitude[:, 2],
        "source_i": source.i,
        "source_radius": source.half_light_radius,
        "mu": lenses.magnification,
        "mu_retraced": lenses.magnification,
    }
    return columns, share


def main() -> None:
    """Compare, print and write."""
    theirs = listed(Path(sys.argv[1]))
    ours, share = drawn(int(sys.argv[2]) if len(sys.argv) > 2 else 20_000)
    result: dict[str, object] = {"n": len(ours["mu"])}
    result |= {
        f"ks_{name}": round(float(ks_2samp(value, theirs[name]).statistic), 4)
        for name, value in ours.items()
    }
    number = draws_on_the_whole_sky() * share * 20_000 / SKY
    result |= {"lsst_lenses_per_20000deg2": round(number, -2)}
    for name in ours:
        levels = [np.percentile(each[name], LEVELS).round(3).tolist() for each in (ours, theirs)]
        result[f"percentiles_{name}"] = levels
    command = "benchmarks/population.py lenses_LSSTc_rerun.txt"
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({**result, **provenance(command=command)}, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
