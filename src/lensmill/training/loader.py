"""Loader: batches simulated on the fly or read from shards; batch k is a function of k alone."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch

from lensmill.quantities import Batch
from lensmill.simulation.grids import Grids
from lensmill.simulation.shards import FIRST_INDEX, Manifest, Split, read_manifest, read_shard
from lensmill.simulation.simulator import Simulator
from lensmill.training.build import build_grids, build_simulator
from lensmill.training.recipe import SimulationRecipe


@runtime_checkable
class Batches(Protocol):
    """Anything that hands out batch number `step` on a device."""

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands of every image, in order."""
        ...

    def __call__(self, step: int, device: torch.device | str = "cpu") -> Batch:
        """Batch number `step`."""
        ...


@dataclass(frozen=True)
class Loader:
    """Simulated batches of `batch` scenes; each batch draws its own shape and pixel scale."""

    simulator: Simulator
    grids: Grids
    seed: int
    batch: int
    split: Split = "train"

    @classmethod
    def of(
        cls,
        recipe: SimulationRecipe,
        batch: int,
        split: Split = "train",
        device: torch.device | str = "cpu",
    ) -> "Loader":
        """The loader of a recipe; large chunks on a GPU, small ones on a CPU."""
        simulator = build_simulator(recipe)
        if torch.device(device).type != "cpu":
            simulator = replace(simulator, chunk=batch)
        return cls(simulator, build_grids(recipe), recipe.seed, batch, split)

    @property
    def bands(self) -> tuple[str, ...]:
        """The survey's bands."""
        return self.simulator.observing.bands

    def __call__(self, step: int, device: torch.device | str = "cpu") -> Batch:
        """Batch number `step`."""
        first = FIRST_INDEX[self.split] + step * self.batch
        indices = torch.arange(first, first + self.batch, device=device)
        grid = self.grids.draw(self.seed, FIRST_INDEX[self.split] + step)
        return self.simulator.on(grid)(self.seed, indices)


@dataclass(frozen=True)
class ShardLoader:
    """Batches from a simulated data set, shard after shard, over and over.

    A shard's last batch overlaps the one before where it would not be full; a shard smaller than
    `batch` is one batch.
    """

    folder: Path
    manifest: Manifest
    batch: int

    @classmethod
    def of(cls, folder: Path, batch: int) -> "ShardLoader":
        """The loader of a data set that `simulate` wrote."""
        return cls(folder, read_manifest(folder), batch)

    @property
    def bands(self) -> tuple[str, ...]:
        """The data set's bands."""
        return self.manifest.bands

    @cached_property
    def places(self) -> list[tuple[int, int]]:
        """(shard, first row) of each batch of one pass through the data."""
        return [
            (shard, max(0, min(first, rows - self.batch)))
            for shard, rows in enumerate(map(self.manifest.rows, range(self.manifest.shards)))
            for first in range(0, rows, self.batch)
        ]

    def __call__(self, step: int, device: torch.device | str = "cpu") -> Batch:
        """Batch number `step`."""
        shard, first = self.places[step % len(self.places)]
        batch = read_shard(self.folder, self.manifest, shard, slice(first, first + self.batch))
        return {name: value.to(device) for name, value in batch.items()}
