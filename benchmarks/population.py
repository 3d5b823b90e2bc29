"""The `Collett` population against LensPop's list, and the number of LSST's lenses.

    python benchmarks/population.py PATH/lenses_LSSTc_rerun.txt [LENSES]

Two-sample Kolmogorov–Smirnov distances, rounded to two decimals as the list is. `ks_…`: of lenses
drawn with `rules = { pixel = 0.18 }`, LensPop's sampling of sources at the centres of pixels. That
makes the magnification of sources below 0.1″ noise, which lifts some over the cuts:
`finely_sampled` is the same without it, the default, and for sources above 0.1″ alone.
`mu_retraced` compares our magnifications with those that our own fine tracing gives for the list's
systems. `snr_ratio`: percentiles, over the list's systems, of the list's S/N over ours, of the best
band. Writes benchmarks/results/population.json.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from lensmill.provenance import provenance
from lensmill.simulation.population.background import Galaxies
from lensmill.simulation.population.collett import ATTEMPTS, Collett, Lenses, in_order
from lensmill.simulation.population.pairs import Pairs, draws_on_the_whole_sky
from lensmill.simulation.population.rows import chosen_rows
from lensmill.simulation.population.tracing import traced

RESULTS = Path(__file__).parent / "results" / "population.json"
LEVELS = (5, 16, 50, 84, 95)
BATCH = 400
LARGE, PIXEL = 0.1, 0.18
"""arcsec."""
SKY = 41_252.96
"""Square degrees."""
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Listed:
    """LensPop's list."""

    lenses: Lenses
    snr: Array  # (lens, band)


def read(path: Path) -> Listed:
    """The list, with its lenses turned to ours: their long axis is +y, angles are from +x."""
    table = np.loadtxt(path)
    z_lens, z_source, theta_E, sigma, q, size, x, y, q_source, angle, radius, mu = table[:, :12].T
    source = Galaxies(z_source, *table[:, [13, 17, 21]].T, radius, q_source)
    turned = np.pi / 2 - np.radians(angle)  # x and y change places
    pair = Pairs(source, z_lens, sigma, theta_E, q, y, x, turned)
    return Listed(Lenses(pair, table[:, [12, 16, 20]], size, mu), table[:, [15, 19, 23]])


def retraced(lenses: Lenses) -> Array:
    """Magnifications by our tracing."""
    return np.concatenate(
        [traced(part.pair).flux.sum((1, 2)).double().numpy() for part in _split(lenses)]
    )


def snr_ratios(their: Listed) -> Array:
    """The list's S/N over ours, of the best band."""
    rules, ours = Collett().detection, []
    visits = np.random.default_rng(0).random((len(their.snr), rules.uniforms))
    for part in _split(their.lenses):
        first = sum(map(len, ours))
        u = visits[first : first + len(part.magnification), 1:]
        coadd = rules.coadd(part.pair, part.magnification, u)
        image = traced(part.pair)
        snr = rules.snr(image, part.pair, coadd, part.magnitude, part.half_light_radius)
        ours.append(snr.max(1))
    expected = np.concatenate(ours)
    return their.snr.max(1)[expected > 0] / expected[expected > 0]


def _split(lenses: Lenses) -> list[Lenses]:
    count = len(lenses.magnification)
    rows = np.array_split(np.arange(count), count // BATCH + 1)
    return [chosen_rows(lenses, part) for part in rows]


def columns(lenses: Lenses, mu: Array) -> dict[str, Array]:
    """What is compared, rounded as the list is."""
    pair, source = lenses.pair, lenses.pair.source
    values = {
        "z_lens": pair.z_lens,
        "z_source": source.redshift,
        "theta_E": pair.theta_E,
        "velocity_dispersion": pair.velocity_dispersion,
        "q": pair.q_lens,
        "lens_i": lenses.magnitude[:, 2],
        "source_i": source.i,
        "source_radius": source.half_light_radius,
        "mu": lenses.magnification,
        "mu_retraced": mu,
    }
    return {name: value.round(2) for name, value in values.items()}


def drawn(population: Collett, count: int) -> tuple[Lenses, float]:
    """`count` or more of our lenses, and the share of draws that are detected."""
    found: list[tuple[NDArray[np.int64], Lenses]] = []
    tried = 0
    while sum(len(rows) for rows, _ in found) < count:
        rows, lenses = population.attempt(1, torch.arange(tried, tried + BATCH), range(1))
        found.append((rows + tried, lenses))
        tried += BATCH
    lenses = in_order(found)
    # A row counts once however many of its draws are lenses.
    return lenses, 1 - (1 - len(lenses.magnification) / tried) ** (1 / ATTEMPTS)


def distances(ours: dict[str, Array], theirs: dict[str, Array]) -> dict[str, float]:
    """Kolmogorov–Smirnov distance of each column."""
    return {
        name: round(float(ks_2samp(value, theirs[name]).statistic), 4)
        for name, value in ours.items()
    }


def larger(table: dict[str, Array]) -> dict[str, Array]:
    """The rows whose source is large enough for LensPop's sampling."""
    rows = table["source_radius"] > LARGE
    return {name: value[rows] for name, value in table.items()}


def main() -> None:
    """Compare, print and write."""
    their = read(Path(sys.argv[1]))
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 20_000
    lenses, share = drawn(Collett(rules={"pixel": PIXEL}), count)
    fine, fine_share = drawn(Collett(), count)
    ours, finer = (columns(each, each.magnification) for each in (lenses, fine))
    theirs = columns(their.lenses, retraced(their.lenses))
    number, fine_number = (
        round(draws_on_the_whole_sky() * each * 20_000 / SKY, -2) for each in (share, fine_share)
    )
    result: dict[str, object] = {"n": len(lenses.magnification)}
    result |= {f"ks_{name}": value for name, value in distances(ours, theirs).items()}
    result |= {"lsst_lenses_per_20000deg2": number}
    result["finely_sampled"] = {
        "n": len(fine.magnification),
        "ks": distances(finer, theirs),
        f"ks_above_{LARGE}_arcsec": distances(larger(finer), larger(theirs)),
        "lsst_lenses_per_20000deg2": fine_number,
    }
    result |= {"snr_ratio": np.percentile(snr_ratios(their), LEVELS).round(3).tolist()}
    for name in ours:
        levels = [np.percentile(each[name], LEVELS).round(3).tolist() for each in (ours, theirs)]
        result[f"percentiles_{name}"] = levels
    command = "benchmarks/population.py lenses_LSSTc_rerun.txt"
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({**result, **provenance(command=command)}, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
