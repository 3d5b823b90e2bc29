"""A picture of what a recipe simulates, in the paper's display stretch.

    python benchmarks/gallery.py RECIPE OUT.png [COUNT]

COUNT systems of each kind of scene that the recipe draws, ten a row: as observed, and below without
noise. All bands are at one zero point, so that colours are those of the sky, not of the exposures.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from lensmill.physics.display import calibrated, display
from lensmill.quantities import Batch
from lensmill.simulation.scene import KINDS
from lensmill.simulation.simulator import Simulator
from lensmill.training.build import build_simulator
from lensmill.training.recipe import read_recipe

ZOOM = 2
MARGIN = 3
LABEL = 110
ACROSS = 10
MOST = 4096
Picture = NDArray[np.uint8]


def kinds_of(simulator: Simulator, seed: int, count: int) -> dict[int, Batch]:
    """Up to `count` systems of each kind, from the first scenes that are of it."""
    kind = simulator.population.draw(seed, torch.arange(MOST)).kind
    chosen = {int(k): (kind == k).nonzero()[:count, 0] for k in kind.unique()}
    return {number: at_one_zero_point(simulator, seed, rows) for number, rows in chosen.items()}


def at_one_zero_point(simulator: Simulator, seed: int, indices: Tensor) -> Batch:
    """The images of the scenes `indices`, in pictures' units."""
    batch = simulator(seed, indices)
    return {name: calibrated(batch[name], batch["zero_point"]) for name in ("noisy", "clean")}


def pictures(batch: Batch) -> Iterator[Picture]:
    """Two rows for every `ACROSS` stamps: as observed, and without noise."""
    for first in range(0, len(batch["noisy"]), ACROSS):
        noisy, clean = (batch[name][first : first + ACROSS] for name in ("noisy", "clean"))
        yield row(display(noisy, noisy))
        yield row(display(clean, noisy))


def row(shown: Tensor) -> Picture:
    """Stamps (stamp, colour, y, x) beside each other, y upwards, with room for `ACROSS`."""
    stamps = [framed(stamp) for stamp in shown.byte().numpy()[:, :, ::-1]]
    stamps += [np.zeros_like(stamps[0])] * (ACROSS - len(stamps))
    return np.concatenate(stamps, 1)


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
    count = int(sys.argv[3]) if len(sys.argv) > 3 else ACROSS
    kinds = kinds_of(build_simulator(recipe), recipe.seed, count)
    blocks = [labelled(list(pictures(batch)), KINDS[number]) for number, batch in kinds.items()]
    Image.fromarray(np.concatenate(blocks, 0)).save(sys.argv[2])


if __name__ == "__main__":
    with torch.no_grad():
        main()
