"""Speed of the paper's system, 3×111×111 noisy, clean and source, beside lenstronomy and caustics.

    python benchmarks/paper_speed.py [SYSTEMS]

Each code as coarse as it may be for a worst pixel within 2e-3 of the image's peak on all SYSTEMS:
lenstronomy and caustics at the smallest of `SUPERSAMPLINGS` (even: with odd ones they sample the
very centre of the galaxy's cusp) that keeps to it against the fine, independent reference
(`fine.py`), which ours is held against too; and at the coarsest, which does not. The codes take
turns. Adds to benchmarks/results/render.json.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import fine
import numpy as np
import peers
import torch
from numpy.typing import NDArray
from systems import Systems, paper_systems

from lensmill.physics.noise import observe
from lensmill.provenance import provenance
from lensmill.simulation.rendering import Sampling, render
from lensmill.simulation.scene import Sersic, mapped

RESULTS = Path(__file__).parent / "results" / "render.json"
BAR = 2e-3
SUPERSAMPLINGS = (4, 8, 12, 16)
BATCH, ROUNDS, SECONDS = 16, 3, 2.0
Array = NDArray[np.float64]


def ours(systems: Systems) -> Array:
    """(system, band, y, x) in e⁻, without noise."""
    return _rendered(systems)[0].double().numpy()


def _rendered(systems: Systems) -> tuple[torch.Tensor, torch.Tensor]:
    sharpest = systems.conditions.psf_fwhm.min().item() / systems.grid.pixel_scale
    sampling = Sampling.for_psf(sharpest)
    return render(systems.scene, systems.conditions, systems.grid, sampling)


def lenstronomy(systems: Systems, supersampling: int, padding: int = 12) -> Array:
    """The same by lenstronomy."""
    rows = range(len(systems.scene.mass.q))
    parts = (systems.scene, systems.conditions, systems.grid)
    return np.stack(
        [peers.lenstronomy_image(*parts, row, supersampling, padding=padding) for row in rows]
    )


def caustics(systems: Systems, supersampling: int) -> Array:
    """The same by caustics; every system through the PSFs of the first."""
    fwhm = systems.conditions.psf_fwhm[0].tolist()
    simulator = peers.CausticsSimulator(fwhm, systems.grid, supersampling, parts=1)
    return simulator(systems.scene, systems.conditions).double().numpy()


def reference(systems: Systems, row: int) -> Array:
    """(band, y, x) of one system, slow and fine."""
    scene, conditions = systems.scene, systems.conditions
    field = fine.Field(
        systems.grid.shape, systems.grid.pixel_scale, conditions.psf_fwhm[row].double().numpy()
    )
    mass = scene.mass
    lens = fine.Lens(*(float(v[row]) for v in (mass.theta_E, mass.q, mass.phi, mass.x, mass.y)))
    galaxy = fine.galaxy_image(_light(scene.foreground, row), field)
    source = fine.source_image(_light(scene.source, row), lens, field)
    flux = (
        10 ** (-0.4 * (part.magnitude[row, 0] - conditions.zero_point[row]).double().numpy())
        for part in (scene.foreground, scene.source)
    )
    images = zip((galaxy, source), flux, strict=True)
    return np.asarray(sum(image * each[:, None, None] for image, each in images))


def _light(part: Sersic, row: int) -> fine.Light:
    values = (part.half_light_radius, part.index, part.q, part.phi, part.x, part.y)
    return fine.Light(*(float(value[row, 0]) for value in values))


def worst(images: Array, exact: Array) -> float:
    """Largest difference of any pixel over its image's peak."""
    return float((np.abs(images - exact).max((2, 3)) / exact.max((2, 3))).max())


def needed(
    code: Callable[[Systems, int], Array], systems: Systems, exact: Array
) -> dict[int, float]:
    """Worst pixel at each supersampling, up to the first that keeps to the bar."""
    found: dict[int, float] = {}
    for supersampling in SUPERSAMPLINGS:
        found[supersampling] = worst(code(systems, supersampling), exact)
        if found[supersampling] <= BAR:
            break
    return found


def of_one_psf(systems: Systems) -> Systems:
    """All systems through the PSFs of the first: caustics under vmap takes one PSF."""
    fwhm = systems.conditions.psf_fwhm[:1].expand_as(systems.conditions.psf_fwhm)
    return replace(systems, conditions=replace(systems.conditions, psf_fwhm=fwhm))


def with_noise(image: Array, systems: Systems) -> Array:
    """What all peers do after rendering."""
    noise = np.random.default_rng(0).normal(size=image.shape)
    variance = image + systems.conditions.sky_sigma[: len(image), :, None, None].numpy() ** 2
    return image + np.sqrt(variance) * noise


def codes(at: dict[str, tuple[int, int]], systems: Systems) -> dict[str, Any]:
    """(systems done in one call, the call) of each code: noisy, clean and source."""
    one = replace(
        systems,
        scene=mapped(systems.scene, lambda value: value[:1]),
        conditions=mapped(systems.conditions, lambda value: value[:1]),
    )
    fwhm = systems.conditions.psf_fwhm[0].tolist()

    def mill() -> None:
        clean, _ = _rendered(systems)
        observe(clean, systems.conditions.sky_sigma, torch.randn_like(clean))

    def stars(supersampling: int) -> None:
        with_noise(lenstronomy(one, supersampling, 0), one)

    def vmapped(simulator: peers.CausticsSimulator) -> None:
        with_noise(simulator(systems.scene, systems.conditions).numpy(), systems)

    runs: dict[str, Any] = {"lensmill": (BATCH, mill)}
    for each in at["lenstronomy"]:
        runs[f"lenstronomy_{each}"] = (1, partial(stars, each))
    for each in at["caustics"]:
        simulator = peers.CausticsSimulator(fwhm, systems.grid, each, parts=1)
        runs[f"caustics_{each}"] = (BATCH, partial(vmapped, simulator))
    return runs


def rate(count: int, run: Callable[[], Any]) -> float:
    """Systems per second."""
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        run()
        done += count
    return done / (time.perf_counter() - start)


def main() -> None:
    """Measure, print and write."""
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 6
    systems = of_one_psf(paper_systems(seed=7, count=count))
    exact = np.stack([reference(systems, row) for row in range(count)])
    errors = {
        "lenstronomy": needed(lenstronomy, systems, exact),
        "caustics": needed(caustics, systems, exact),
    }
    print(json.dumps(errors), worst(ours(systems), exact), flush=True)
    batch = of_one_psf(paper_systems(seed=8, count=BATCH))
    at = {name: (min(found), max(found)) for name, found in errors.items()}
    runs = codes(at, batch)
    rates = [[rate(*code) for code in runs.values()] for _ in range(ROUNDS)]
    median = dict(zip(runs, np.median(rates, axis=0).tolist(), strict=True))
    ratio = {name: round(median["lensmill"] / value, 1) for name, value in median.items()}
    result = {
        "images_per_s": round(median["lensmill"], 1),
        **{f"ratio_{name}": ratio[f"{name}_{accurate}"] for name, (_, accurate) in at.items()},
        "worst_pixel_of_peak": worst(ours(systems), exact),
        "paper_system": {
            "n": count,
            "threads": torch.get_num_threads(),
            "worst_pixel_of_peak_by_supersampling": errors,
            "images_per_s": {name: round(value, 3) for name, value in median.items()},
            "ratio": ratio,
            **provenance(command="benchmarks/paper_speed.py"),
        },
    }
    kept = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    RESULTS.write_text(json.dumps({**kept, **result}, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    with torch.no_grad():
        main()
