"""Loader: batches simulated on the fly or read from shards; batch k is a function of k alone."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import torch

from lensmill.quantities import Batch
from lensmill.simulation.grids import Grids
from lensmill.simulation.shards import FIRST_INDEX, Manifest, Split, read_manifest, read_shard
from lensmill.simulation.simulator import Simulator
from lensmill.training.build import build_grids, build_simulator
from lensmill.training.recipe import SimulationRecipe


class Batches(Protocol):
    """Anything that hands out batch number `step` on a device."""

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

    def __call__(self, step: int, device: torch.device | str = "cpu") -> Batch:
        """Batch number `step`."""
        first = FIRST_INDEX[self.split] + step * self.batch
        indices = torch.arange(first, first + self.batch, device=device)
        grid = self.grids.draw(self.seed, FIRST_INDEX[self.split] + step)
        return self.simulator.on(grid)(self.seed, indices)


@dataclass(frozen=True)
class ShardLoader:
    """Batches from a simulated data set, shard after shard, over and over."""

    folder: Path
    manifest: Manifest
    batch: int

    @classmethod
    def of(cls, folder: Path, batch: int) -> "ShardLoader":
        """The loader of a data set that `simulate` wrote."""
        return cls(folder, read_manifest(folder), batch)

    def __call__(self, step: int, device: torch.device | str = "cpu") -> Batch:
        """Batch number `step`."""
        per_shard = max(self.manifest.shard // self.batch, 1)
        shard = (step // per_shard) % self.manifest.shards
        first = (step % per_shard) * self.batch
        batch = read_shard(self.folder, self.manifest, shard, slice(first, first + self.batch))
        return {name: value.to(device) for name, value in batch.items()}
