"""Speed and memory of a run, beside a plain loop and the paper's networks.

    python benchmarks/survey.py [STAMPS] [MANY]

A run of STAMPS (2,000) simulated LSST stamps, 61×67, through the shipped chain; the chain alone,
from memory, in turn with a plain float32 loop over the same weights and batches; the paper's
networks on a few of the same images; and the peak memory of runs of MANY/10 and MANY (100,000)
small stamps with a light chain. Writes benchmarks/results/survey.json.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

HERE = Path(__file__)
RESULTS = HERE.parent / "results" / "survey.json"
SHAPE, BATCH, ROUNDS = (61, 67), 32, 7
PAPER_IMAGES, PAPER_ROUNDS = 4, 3
GPU_SHAPE, GPU_BATCH = (64, 64), 512


def work(folder: str, out: str, weights: str, pictures: str) -> None:
    """A run in a process of its own; prints its seconds, peak memory and stages."""
    from lensmill.survey.run import Options, run

    start = time.perf_counter()
    chosen = Path(weights) if weights else None
    summary = run(Path(folder), Path(out), weights=chosen, options=Options(pictures=int(pictures)))
    seconds = time.perf_counter() - start
    found = {"objects": summary.objects, "seconds": seconds, "peak_memory_mb": peak_memory()}
    print(json.dumps({**found, "stages": summary.stages}))


def peak_memory() -> float:
    """MB, of this process since it began. (getrusage counts what its parent had when it forked.)"""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def measured_run(folder: Path, out: Path, weights: Path | None, pictures: int) -> dict[str, Any]:
    """What a run says of itself."""
    words = ("--run", folder, out, weights or "", pictures)
    command = [sys.executable, str(HERE), *map(str, words)]
    done = subprocess.run(command, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def simulated(count: int, shape: tuple[int, int] = SHAPE) -> dict[str, torch.Tensor]:
    """Stamps of the demo's kind."""
    from lensmill.grid import Grid
    from lensmill.physics.surveys import LSST_10YEAR
    from lensmill.simulation.observing import Observing
    from lensmill.simulation.population.priors import Priors
    from lensmill.simulation.simulator import Simulator

    return Simulator(Priors(), Observing(LSST_10YEAR), Grid(shape, 0.2))(7, torch.arange(count))


def write_stamps(folder: Path, batch: dict[str, torch.Tensor], count: int) -> Path:
    """An HDF5 file of `count` stamps: the batch, again and again."""
    import h5py

    folder.mkdir()
    rows = np.arange(count) % len(batch["noisy"])
    with h5py.File(folder / "stamps.h5", "w") as file:
        file["image"] = batch["noisy"].numpy()[rows]
        for name in ("pixel_scale", "psf_fwhm", "sky_sigma"):
            file[name] = batch[name].numpy()[rows]
    return folder


def rate(count: int, call: Callable[[], Any]) -> float:
    """Stamps per second of one call."""
    start = time.perf_counter()
    call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return count / (time.perf_counter() - start)


def chain_rates(
    batch: dict[str, torch.Tensor], device: str, rounds: int = ROUNDS
) -> dict[str, Any]:
    """Stamps/s of our run's chain and of a plain float32 loop, catalogue values and all."""
    from lensmill.survey.agreement import chosen_precision
    from lensmill.survey.chain import load_chain
    from lensmill.survey.inference import predict, prepared
    from lensmill.survey.prefetch import Clock
    from lensmill.survey.rows import measurements

    given = {
        name: batch[name].to(device) for name in ("noisy", "sky_sigma", "psf_fwhm", "pixel_scale")
    }
    plain = load_chain().pipeline.to(device)
    precision = chosen_precision(load_chain(), device)
    ours = prepared(load_chain(), device, precision)

    def loop() -> None:
        with torch.no_grad():
            state = given
            for stage in plain.members:
                state = stage.predict(state)
            measurements(state)

    codes = {"run": lambda: predict(ours, given, None, Clock()), "fp32_loop": loop}
    count = len(given["noisy"])
    for code in codes.values():
        code()
    turns = [{name: rate(count, code) for name, code in codes.items()} for _ in range(rounds)]
    median = {name: float(np.median([turn[name] for turn in turns])) for name in codes}
    return {"precision": precision, "batch": count, **median}


def paper_rate(batch: dict[str, torch.Tensor]) -> float:
    """Stamps/s of the paper's networks, EDSR 16×256 twice and ResNet-50 twice, float32."""
    from lensmill.stages.display import with_displays
    from lensmill.training.build import build_stage
    from lensmill.training.recipe import read_recipe

    recipe = read_recipe(Path("paper"))
    names = ("denoise", "deblend", "classify", "regress")
    stages = [build_stage(recipe.stages[name]).eval() for name in names]
    few = {name: value[:PAPER_IMAGES] for name, value in batch.items()}
    few = with_displays(few)

    def loop() -> None:
        with torch.no_grad():
            state = {"noisy_display": few["noisy_display"]}
            for stage in stages:
                state = stage.predict(state)

    loop()
    return float(np.median([rate(PAPER_IMAGES, loop) for _ in range(PAPER_ROUNDS)]))


def main(stamps: int = 2000, many: int = 100_000) -> None:
    """Measure, print and write."""
    from small_survey import light_weights, write_shards

    from lensmill.provenance import provenance

    batch = simulated(BATCH)
    rates = chain_rates(batch, "cpu")
    paper = paper_rate(batch)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        whole = measured_run(
            write_stamps(folder / "stamps", batch, stamps), folder / "out", None, 0
        )
        weights = light_weights(folder / "light")
        peaks = [
            measured_run(write_shards(folder / f"many-{n}", n), folder / f"out-{n}", weights, 0)
            for n in (many // 10, many)
        ]
    gpu = {}
    if torch.cuda.is_available():
        gpu = {"gpu": chain_rates(simulated(GPU_BATCH, GPU_SHAPE), "cuda")}
    result = {
        "command": f"python benchmarks/survey.py {stamps} {many}",
        "stamps_per_s": round(whole["objects"] / whole["seconds"], 1),
        "ratio_fp32_loop": round(rates["run"] / rates["fp32_loop"], 2),
        "ratio_paper_nets": round(rates["run"] / paper, 1),
        "peak_memory_mb_10k": round(peaks[0]["peak_memory_mb"]),
        "peak_memory_mb_100k": round(peaks[1]["peak_memory_mb"]),
        "shape": SHAPE,
        "threads": torch.get_num_threads(),
        "chain": {**rates, "paper_nets": paper},
        "run": whole,
        "many": peaks,
        **gpu,
        **provenance(),
    }
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        work(*sys.argv[2:])
    else:
        main(*map(int, sys.argv[1:]))
