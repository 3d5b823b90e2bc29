"""Accuracy and speed of rendering, beside lenstronomy and caustics.

    python benchmarks/render.py [SYSTEMS_PER_STAMP]

Accuracy: 8 stamps × 25 systems against lenstronomy at a supersampling of 9, 45 in the cusp of the
lens galaxy; 15, 63 on the arcs and 75 in the cusp, where that differs from ours by more than the
bar, which it does for sources smaller than its cells. Speed: images of 64×64 pixels in three bands
per second, the codes taking turns. Writes benchmarks/results/render.json.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import islice, repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import peers
import torch
from numpy.typing import NDArray
from systems import STAMPS, Systems, random_systems

from lensmill.grid import Grid
from lensmill.provenance import provenance
from lensmill.simulation.rendering import Sampling, render

RESULTS = Path(__file__).parent / "results" / "render.json"
BAR = {"worst_pixel": 2e-3, "total_flux": 1e-3}
FINENESS = ((9, 45, 0), (15, 75, 63))
"""lenstronomy's supersampling of a stamp, of the middle of its lens galaxy, and of its arcs."""
SUPERSAMPLINGS = (5, 9)
ROUNDS = 5
BATCH = 16
Array = NDArray[np.float64]


def differences(ours: Array, theirs: Array) -> dict[str, float]:
    """Worst over the bands: of any pixel over the peak, of the total flux."""
    worst = np.abs(ours - theirs).max((1, 2)) / theirs.max((1, 2))
    total = np.abs(ours.sum((1, 2)) / theirs.sum((1, 2)) - 1)
    return {"worst_pixel": float(worst.max()), "total_flux": float(total.max())}


def compare(systems: Systems, row: int, ours: Array) -> dict[str, Any]:
    """Ours against lenstronomy, as fine as it takes."""
    for fineness in FINENESS:
        theirs = peers.lenstronomy_image(
            systems.scene, systems.conditions, systems.grid, row, *fineness
        )
        found = differences(ours, theirs)
        if all(found[name] < bar for name, bar in BAR.items()):
            break
    return {"stamp": systems.grid.shape, "supersampling": fineness, **found}


def accuracy(each: int) -> list[dict[str, Any]]:
    """Every system's differences, one process for each core."""
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        groups = pool.map(group, range(len(STAMPS)), repeat(each))
        return [row for rows in groups for row in rows]


@torch.no_grad()
def group(number: int, each: int) -> list[dict[str, Any]]:
    """The differences of the systems on one of the stamps."""
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    systems = next(islice(random_systems(seed=3, each=each), number, None))
    ours = render(systems.scene, systems.conditions, systems.grid, Sampling())[0].numpy()
    rows = [compare(systems, row, ours[row]) for row in range(each)]
    print(systems.grid.shape, max(row["worst_pixel"] for row in rows), flush=True)
    return rows


def speeds() -> dict[str, list[float]]:
    """Images per second of each code, one value a round."""
    systems = next(iter(random_systems(seed=5, each=BATCH)))
    grid = Grid((64, 64), 0.2)
    scene, conditions = systems.scene, systems.conditions
    fwhm = conditions.psf_fwhm[0].tolist()
    codes: dict[str, tuple[int, Callable[[], Any]]] = {
        "lensmill": (BATCH, lambda: render(scene, conditions, grid, Sampling()))
    }
    for fineness in SUPERSAMPLINGS:
        simulator = peers.CausticsSimulator(fwhm, grid, fineness)
        codes[f"caustics_{fineness}"] = (BATCH, lambda run=simulator: run(scene, conditions))
        codes[f"lenstronomy_{fineness}"] = (
            1,
            lambda fine=fineness: peers.lenstronomy_image(
                scene, conditions, grid, 0, fine, padding=0
            ),
        )
    return {
        name: list(rates)
        for name, rates in zip(codes, zip(*_rounds(codes), strict=True), strict=True)
    }


def _rounds(codes: dict[str, tuple[int, Callable[[], Any]]]) -> list[list[float]]:
    for _, run in codes.values():
        run()
    return [[_rate(count, run) for count, run in codes.values()] for _ in range(ROUNDS)]


def _rate(count: int, run: Callable[[], Any], seconds: float = 1.0) -> float:
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        run()
        done += count
    return done / (time.perf_counter() - start)


def main() -> None:
    """Measure, print and write."""
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    with torch.no_grad():
        rows = accuracy(int(sys.argv[1]) if len(sys.argv) > 1 else 25)
        rates = speeds()
        median = {name: float(np.median(values)) for name, values in rates.items()}
        ratio = {name: round(median["lensmill"] / value, 1) for name, value in median.items()}
        print(json.dumps({"images_per_second": median, "ratio": ratio}, indent=1), flush=True)
    worst = {name: max(row[name] for row in rows) for name in BAR}
    middle = {name: float(np.median([row[name] for row in rows])) for name in BAR}
    result = {
        "systems": len(rows),
        "worst": worst,
        "median": middle,
        "finer_reference": sum(row["supersampling"] != FINENESS[0] for row in rows),
        "images_per_second": {name: round(value, 1) for name, value in median.items()},
        "ratio": ratio,
        **provenance(),
    }
    RESULTS.parent.mkdir(exist_ok=True)
    kept = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    RESULTS.write_text(json.dumps({**kept, **result}, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
