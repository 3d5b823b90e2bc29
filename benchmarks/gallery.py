"""A picture of what a recipe simulates, in the paper's display stretch.

    python benchmarks/gallery.py RECIPE OUT.png [COUNT]

One row for each kind of scene that the recipe draws, up to COUNT systems in it, as observed and
without noise.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lensmill.evaluation.display import display
from lensmill.quantities import Batch
from lensmill.simulation.scene import KINDS
from lensmill.simulation.simulator import Simulator
from lensmill.training.build import build_simulator
from lensmill.training.recipe import read_recipe

ZOOM = 2
MARGIN = 3
LABEL = 110
BATCH, MOST = 64, 4096
Picture = NDArray[np.uint8]


def kinds_of(simulator: Simulator, seed: int, count: int) -> dict[int, Batch]:
    """Up to `count` systems of each kind, from the first scenes that are of it."""
    kind = simulator.population.draw(seed, torch.arange(MOST)).kind
    chosen = {int(k): (kind == k).nonzero()[:count, 0] for k in kind.unique()}
    return {number: simulator(seed, indices) for number, indices in chosen.items()}


def pictures(batch: Batch) -> Iterator[Picture]:
    """Two rows of stamps: as observed, and without noise."""
    for name in ("noisy", "clean"):
        shown = display(batch[name], batch["noisy"]).byte().numpy()[:, :, ::-1]
        yield np.concatenate([framed(stamp) for stamp in shown], 1)


def framed(stamp: NDArray[np.uint8]) -> Picture:
    """(y, x, colour), enlarged, with a dark margin."""
    large = stamp.transpose(1, 2, 0).repeat(ZOOM, 0).repeat(ZOOM, 1)
    return np.pad(large, ((MARGIN, 0), (MARGIN, 0), (0, 0)), constant_values=40)


def labelled(rows: list[Picture], name: str) -> Picture:
    """`rows` one under the other, with their kind on the left."""
    image = np.concatenate(rows, 0)
    margin = Image.new("RGB", (LABEL, len(image)), (40, 40, 40))
    ImageDraw.Draw(margin).text((6, len(image) // 2 - 6), name.replace("_", " "), "white")
    return np.concatenate([np.asarray(margin), image], 1)


def main() -> None:
    """Draw, render, write."""
    recipe = read_recipe(Path(sys.argv[1])).simulation
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 12
    kinds = kinds_of(build_simulator(recipe), recipe.seed, count)
    blocks = [labelled(list(pictures(batch)), KINDS[number]) for number, batch in kinds.items()]
    width = max(block.shape[1] for block in blocks)
    wide = [np.pad(block, ((0, 0), (0, width - block.shape[1]), (0, 0))) for block in blocks]
    Image.fromarray(np.concatenate(wide, 0)).save(sys.argv[2])


if __name__ == "__main__":
    with torch.no_grad():
        main()
