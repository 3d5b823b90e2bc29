"""Data sets on disk: systems per second, bytes per system, and what a million of them take.

    python benchmarks/simulate.py [SYSTEMS]

The shipped recipes/paper.toml (three bands of 111 × 111 pixels), on the CPU. Speed: SYSTEMS are
simulated by one process and by two, once their imports and tables are warm (the first shard of
each process is not counted). Size: every way to store the same systems. Writes
benchmarks/results/simulate.json.
"""

import json
import platform
import sys
import tempfile
import time
from importlib import resources
from itertools import product
from pathlib import Path
from typing import Any

from lensmill.provenance import provenance
from lensmill.simulation.shards import IMAGES
from lensmill.simulation.simulate import simulate
from lensmill.training.build import build_grids, build_simulator
from lensmill.training.loader import ShardLoader
from lensmill.training.recipe import SimulationRecipe, parse_recipe

RESULTS = Path(__file__).parent / "results" / "simulate.json"
SHARD = 32
"""Systems in a shard where speed is measured: small, so that processes end together."""
LARGEST = 512
"""… where size is: the command's own, if there are as many."""
MILLION = 1_000_000
STORED = {
    "noisy, clean, source": IMAGES,
    "noisy, clean": ("noisy", "clean"),
    "noisy": ("noisy",),
    "parameters only": (),
}


def recipe() -> SimulationRecipe:
    """The paper's."""
    text = resources.files("lensmill.recipes").joinpath("paper.toml").read_text(encoding="utf-8")
    return parse_recipe(text, "paper.toml").simulation


def write(folder: Path, count: int, shard: int = SHARD, **options: Any) -> list[float]:
    """Simulate a data set; the moments at which its shards were done."""
    chosen, moments = recipe(), list[float]()
    simulate(
        build_simulator(chosen),
        build_grids(chosen),
        folder,
        seed=chosen.seed,
        count=count,
        shard=shard,
        recipe=chosen.model_dump(mode="json"),
        report=lambda share, line: moments.append(time.perf_counter()),
        **options,
    )
    return moments


def speed(folder: Path, count: int, processes: int, **options: Any) -> float:
    """Systems per second of all processes, once each has made a shard."""
    moments = write(folder, count + processes * SHARD, processes=processes, **options)
    return (len(moments) - processes) * SHARD / (moments[-1] - moments[processes - 1])


def size(folder: Path, count: int) -> float:
    """Bytes per system of shards and checksums."""
    return sum(path.stat().st_size for path in folder.glob("shard-*")) / count


def rendering(folder: Path) -> float:
    """Systems per second of reading `parameters only`, one thread."""
    loader = ShardLoader.of(folder, 16)
    loader(0)
    start = time.perf_counter()
    for step in range(len(loader.places)):
        loader(step)
    return 16 * len(loader.places) / (time.perf_counter() - start)


def storage(scratch: Path, count: int) -> dict[str, int]:
    """Each way to store one shard."""
    found = {}
    for (name, images), compression in product(STORED.items(), (None, "gzip")):
        if compression and not images:
            continue
        label = f"{name}, gzip" if compression else name
        write(scratch / label, count, count, images=images, compression=compression)
        found[label] = round(size(scratch / label, count))
    return found


def million(rates: dict[str, float], sizes: dict[str, int]) -> dict[str, Any]:
    """Hours and gigabytes for 1,000,000 systems."""
    return {
        "hours": {name: round(MILLION / rate / 3600, 1) for name, rate in rates.items()},
        "gigabytes": {name: round(MILLION * each / 1e9, 1) for name, each in sizes.items()},
    }


def main() -> None:
    """Measure, print and write."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        rates = {
            f"{processes} process{'es' * (processes > 1)}{', gzip' if compression else ''}": speed(
                scratch / f"{processes}{compression}", count, processes, compression=compression
            )
            for compression, processes in product((None, "gzip"), (1, 2))
        }
        rates["parameters only, 1 process"] = speed(scratch / "alone", count, 1, images=())
        sizes = storage(scratch, min(count, LARGEST))
        rendered = rendering(scratch / "parameters only")
    result = {
        "command": f"python benchmarks/simulate.py {count}",
        "systems": count,
        "machine": platform.machine(),
        "systems_per_second": {name: round(rate, 1) for name, rate in rates.items()},
        "rendered_per_second_from_parameters": round(rendered, 1),
        "bytes_per_system": sizes,
        "one_million": million(rates, sizes),
        **provenance(),
    }
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
