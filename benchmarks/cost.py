"""What the compact chain costs beside the paper's networks, on the same images in the same run.

    python benchmarks/cost.py [COMPACT] [--images 40] [--slow 2] [--rounds 2] [--threads 2]

COMPACT: a folder of weights, or a recipe (compact), whose networks are then untrained: what they
learn changes no cost. The paper's networks are those of recipes/paper.toml. Each chain runs from
what it reads of the observed image to the posterior with everything that its stages do; the
paper's is given its eight-bit picture ready-made. Chains and ways to run them take turns, each
ROUNDS times, and the fastest round counts (the ratio of each round is kept beside it); the
compact chain on IMAGES, in batches of the size that `lensmill run` chooses, the paper's on the
first SLOW of them. The ratio is that of each chain's fastest way. FLOPs: two for a multiplication
with an addition in convolutions and matrix products, 5/2 N log2 N for the Fourier transform of N
pixels; what is done to single pixels is in the measured times alone. Writes
benchmarks/results/cost.json.
"""

import argparse
import json
import math
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from lensmill.evaluation.modules import STAGES
from lensmill.heap import keep_freed_memory
from lensmill.provenance import provenance
from lensmill.quantities import Batch
from lensmill.stages.display import with_displays
from lensmill.stages.pipeline import Pipeline, observed
from lensmill.stages.scaling import shared_views
from lensmill.survey.batches import budget
from lensmill.training.build import build_stage
from lensmill.training.checkpoint import load_stage
from lensmill.training.loader import Loader
from lensmill.training.recipe import Recipe, read_recipe

RESULTS = Path(__file__).parent / "results" / "cost.json"
CHAINS = ("compact", "paper")
PLAIN, LAST, HALF = "float32", "float32, channels last", "bf16, channels last"


def chain_of(recipe: Recipe) -> Pipeline:
    """The four stages of a recipe, untrained."""
    stages = [build_stage(recipe.stages[name]) for name in STAGES]
    return Pipeline(stages, given=observed(stages)).eval()


def trained(weights: Path) -> Pipeline:
    """The four stages of a folder."""
    stages = [load_stage(weights / f"{name}.safetensors") for name in STAGES]
    return Pipeline(stages, given=observed(stages)).eval()


def parameters(chain: Pipeline) -> dict[str, int]:
    """Trained numbers of each stage."""
    return {n: sum(p.numel() for p in s.parameters()) for n, s in named(chain)}


def named(chain: Pipeline) -> Iterator[tuple[str, Any]]:
    """The stages by name."""
    return zip(STAGES, chain.members, strict=True)


@torch.no_grad()
def flops(chain: Pipeline, batch: Batch) -> dict[str, float]:
    """FLOPs of each stage per image of `batch`."""
    count = len(next(iter(batch.values())))
    found = {}
    for name, stage in named(chain):
        with counter() as counted:
            batch = stage.predict(batch)
        found[name] = counted.get_total_flops() / count
    return found


def counter() -> FlopCounterMode:
    """Counts convolutions, matrix products and Fourier transforms of real images."""
    aten = torch.ops.aten
    return FlopCounterMode(display=False, custom_mapping={aten._fft_r2c: _to, aten._fft_c2r: _back})


def _to(shape: Any, axes: Any, *rest: Any, out_shape: Any = None, **named: Any) -> int:
    return _transform(shape, axes)


def _back(shape: Any, axes: Any, *rest: Any, out_shape: Any = None, **named: Any) -> int:
    return _transform(out_shape, axes)


def _transform(shape: Any, axes: Any) -> int:
    """5/2 N log2 N for each image of N real pixels, the usual count of a split-radix transform."""
    size = math.prod(shape[axis] for axis in axes)
    return round(2.5 * math.prod(shape) * math.log2(size))


class Way:
    """A chain, the images it is given, and how it is run."""

    def __init__(self, chain: Pipeline, batch: Batch, kind: str) -> None:
        layout = torch.contiguous_format if kind == PLAIN else torch.channels_last
        self.chain = chain.to(memory_format=layout)  # type: ignore[call-overload]
        self.layout, self.kind = layout, kind
        some = next(iter(batch.values()))
        self.count, self.device = len(some), some.device.type
        size = budget(0, self.device).count(batch["noisy"].shape[-2:])
        parts = {name: value.split(size) for name, value in batch.items()}
        self.batches = [
            dict(zip(parts, each, strict=True)) for each in zip(*parts.values(), strict=True)
        ]
        self.rounds: dict[str, list[float]] = defaultdict(list)

    @torch.no_grad()
    def __call__(self) -> None:
        """One round: the seconds per image of each stage are noted."""
        self.chain.to(memory_format=self.layout)  # type: ignore[call-overload]
        seconds = dict.fromkeys(STAGES, 0.0)
        for state in self.batches:
            with shared_views():
                for name, stage in named(self.chain):
                    start = self.clock()
                    with self.precision():
                        state = stage.predict(state)
                    seconds[name] += (self.clock() - start) / self.count
        for name, value in {**seconds, "chain": sum(seconds.values())}.items():
            self.rounds[name].append(value)

    def precision(self) -> AbstractContextManager[None]:
        return torch.autocast(self.device, torch.bfloat16, enabled=self.kind == HALF)

    def clock(self) -> float:
        """Now, when all that was asked for is done."""
        if self.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def seconds(self) -> dict[str, float]:
        """Per image, of the fastest round."""
        best = min(range(len(self.rounds["chain"])), key=self.rounds["chain"].__getitem__)
        return {name: rounds[best] for name, rounds in self.rounds.items()}


def measured(
    chains: dict[str, Pipeline], images: dict[str, Batch], device: str, rounds: int
) -> dict[str, dict[str, Any]]:
    """{chain: {way: seconds per image}}, all taking turns; and the ratio that each round gave."""
    ways = {
        (name, kind): Way(chain.to(device), _on(images[name], device), kind)
        for name, chain in chains.items()
        for kind in (PLAIN, LAST, HALF)
    }
    for _ in range(rounds + (device == "cuda")):  # a GPU's first round chooses its kernels
        for way in ways.values():
            way()
    by_chain = {
        name: {kind: way for (owner, kind), way in ways.items() if owner == name} for name in chains
    }
    found = {n: {kind: w.seconds() for kind, w in each.items()} for n, each in by_chain.items()}
    return {**found, "ratios": _ratios(by_chain)}


def _ratios(ways: dict[str, dict[str, Way]]) -> list[float]:
    """Seconds of the paper's chain over the compact one's, each at its fastest, of each round."""
    fast = {
        name: [min(each) for each in zip(*(w.rounds["chain"] for w in kinds.values()), strict=True)]
        for name, kinds in ways.items()
    }
    return [paper / compact for paper, compact in zip(fast["paper"], fast["compact"], strict=True)]


def _on(batch: Batch, device: str) -> Batch:
    return {name: value.to(device) for name, value in batch.items()}


def simulated(recipe: Recipe, count: int) -> Batch:
    """The first `count` images of the test split, and the pictures of them."""
    return with_displays(Loader.of(recipe.simulation, count, "test")(0))


def fastest(ways: dict[str, dict[str, float]]) -> float:
    """Images a second the fastest way."""
    return 1 / min(seconds["chain"] for seconds in ways.values())


def report(chains: dict[str, Pipeline], times: dict[str, Any], one: Batch) -> dict[str, Any]:
    """Everything that is known of the chains, and the paper's over the compact chain's."""
    result: dict[str, Any] = {}
    for name, chain in chains.items():
        chain.to("cpu")
        numbers, work = parameters(chain), {n: f / 1e9 for n, f in flops(chain, one).items()}
        result[name] = {
            "parameters": {**numbers, "chain": sum(numbers.values())},
            "gflop_per_image": {**work, "chain": sum(work.values())},
            "seconds_per_image": {device: found[name] for device, found in times.items()},
            "images_per_second": {d: fastest(found[name]) for d, found in times.items()},
        }
    paper, compact = result["paper"], result["compact"]
    result["ratio"] = {
        "parameters": paper["parameters"]["chain"] / compact["parameters"]["chain"],
        "flops": paper["gflop_per_image"]["chain"] / compact["gflop_per_image"]["chain"],
        **{
            f"images_per_second_{device}": rate / paper["images_per_second"][device]
            for device, rate in compact["images_per_second"].items()
        },
        **{f"images_per_second_{d}_each_round": found["ratios"] for d, found in times.items()},
    }
    return result


def table(result: dict[str, Any]) -> str:
    """The result as lines of a terminal."""
    lines = [f"{'':40s}{'compact':>12s}{'paper':>14s}{'ratio':>10s}"]
    for key, text in (("parameters", "parameters"), ("gflop_per_image", "GFLOP an image")):
        for stage in (*STAGES, "chain"):
            lines.append(_line(f"{text}, {stage}", *(result[c][key][stage] for c in CHAINS)))
    for device, ways in result["compact"]["seconds_per_image"].items():
        for kind in ways:
            rates = (1 / result[c]["seconds_per_image"][device][kind]["chain"] for c in CHAINS)
            lines.append(_line(f"images/s, {device}, {kind}", *rates))
        rates = (result[c]["images_per_second"][device] for c in CHAINS)
        lines.append(_line(f"images/s, {device}, each the fastest", *rates))
    return "\n".join(lines)


def _line(text: str, compact: float, paper: float) -> str:
    ratio = max(compact, paper) / min(compact, paper)
    one, other = (f"{x:,.0f}" if x > 1000 else f"{x:,.3g}" for x in (compact, paper))
    return f"{text:40s}{one:>12s}{other:>14s}{ratio:10,.1f}"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("compact", type=Path, nargs="?", default=Path("compact"))
    parser.add_argument("--paper", type=Path, default=Path("paper"))
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--slow", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--result", type=Path, default=RESULTS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    keep_freed_memory()  # as a run does
    paper, folder = read_recipe(given.paper), given.compact.is_dir()
    compact = trained(given.compact) if folder else chain_of(read_recipe(given.compact))
    chains = {"compact": compact, "paper": chain_of(paper)}
    batch = simulated(paper, given.images)
    counts = {"compact": given.images, "paper": given.slow}
    images = {name: {k: v[: counts[name]] for k, v in batch.items()} for name in CHAINS}
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    times = {device: measured(chains, images, device, given.rounds) for device in devices}
    result = report(chains, times, {k: v[:1] for k, v in batch.items()})
    settings = {
        "image": list(batch["noisy"].shape[1:]),
        "images": counts,
        "threads": given.threads,
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "gpu": torch.cuda.get_device_name() if len(devices) > 1 else None,
    }
    command = " ".join(["python benchmarks/cost.py", *sys.argv[1:]])
    given.result.parent.mkdir(exist_ok=True)
    given.result.write_text(
        json.dumps({**result, **settings, **provenance(command=command)}, indent=1) + "\n"
    )
    print(table(result))


if __name__ == "__main__":
    main()
