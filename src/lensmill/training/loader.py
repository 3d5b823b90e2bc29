"""Loader: batches simulated on the fly or read from shards; batch k is a function of k alone."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Int
from torch import Tensor
from torch.utils.data import Dataset

from lensmill.quantities import Batch
from lensmill.simulation.grids import Grids
from lensmill.simulation.scene import Scene, on_device
from lensmill.simulation.shards import (
    FIRST_INDEX,
    IMAGES,
    Manifest,
    Split,
    read_manifest,
    read_scenes,
    read_shard,
)
from lensmill.simulation.simulator import Simulator
from lensmill.simulation.workers import one_thread
from lensmill.stages.symmetry import ELEMENTS, turned
from lensmill.training.build import build_grids, build_simulator
from lensmill.training.recipe import Part, SimulationRecipe


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


PART = 2**32
"""Scenes in a part of the training split: stages that follow one another learn from parts of their
own, since on what it learned from itself a stage does better than on anything else."""
DEPTHS, STARTS = 8, 30
"""Parts kept for stages after each other, and times as many for trainings from weights."""


def own_part(depth: int, started_from: str | None) -> int:
    """The part of a training: of stages before it, and of the weights (their digest) it set out
    from. With those of its own recipe it would see again what they have learned already."""
    start = 0 if started_from is None else 1 + int(started_from, 16) % STARTS
    return depth + DEPTHS * start


@dataclass(frozen=True)
class Loader:
    """Simulated batches of `batch` scenes; each batch draws its own shape and pixel scale.

    part: which part of the split.
    """

    simulator: Simulator
    grids: Grids
    seed: int
    batch: int
    split: Split = "train"
    part: int = 0

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

    @property
    def start(self) -> int:
        """The index of its first scene."""
        return FIRST_INDEX[self.split] + self.part * PART

    def __call__(self, step: int, device: torch.device | str = "cpu") -> Batch:
        """Batch number `step`."""
        first = self.start + step * self.batch
        indices = torch.arange(first, first + self.batch, device=device)
        grid = self.grids.draw(self.seed, self.start + step)
        return self.simulator.on(grid)(self.seed, indices)


@dataclass(frozen=True)
class ShardLoader:
    """Batches from a simulated data set, shard after shard; each pass sees it turned another way.

    Images that are not stored are rendered. A shard's last batch overlaps the one before where it
    would not be full; a shard smaller than `batch` is one batch.
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
        number, position = divmod(step, len(self.places))
        shard, first = self.places[position]
        rows = slice(first, first + self.batch)
        batch = read_shard(self.folder, self.manifest, shard, rows)
        if set(IMAGES) - batch.keys():
            batch = {**self.render(shard, rows, device), **batch}
        moved = {name: value.to(device) for name, value in batch.items()}
        return dict(turned(moved, number % len(ELEMENTS)))

    def render(self, shard: int, rows: slice, device: torch.device | str = "cpu") -> Batch:
        """Rows of a shard, rendered from its scenes: on a CPU, the simulator's own bits.

        ValueError where the manifest holds no recipe. No part that it names is imported.
        """
        chunk, indices = self.manifest.chunk, self.manifest.indices(shard)
        start, stop, _ = rows.indices(len(indices))
        first = start - start % chunk  # whole chunks, as they were when the shard was made
        whole = slice(first, min(len(indices), -(-stop // chunk) * chunk))
        scene, conditions = read_scenes(self.folder, self.manifest, shard, whole)
        simulator, grids = self._simulator
        grid = grids.draw(self.manifest.seed, int(indices[0]))
        with one_thread():
            batch = simulator.on(grid).image(
                on_device(scene, torch.device(device)),
                on_device(conditions, torch.device(device)),
                self.manifest.seed,
                indices[whole].to(device),
            )
        return {name: value[start - first : stop - first] for name, value in batch.items()}

    @cached_property
    def _simulator(self) -> tuple[Simulator, Grids]:
        if self.manifest.recipe is None:
            raise ValueError(f"{self.folder} has neither all its images nor a recipe to render by")
        recipe = SimulationRecipe.model_validate(self.manifest.recipe)
        stored = Part.model_validate({"name": f"{__name__}:Stored", "bands": self.bands})
        simulator = build_simulator(recipe.model_copy(update={"population": stored}))
        return replace(simulator, chunk=self.manifest.chunk), build_grids(recipe)


def other_settings(folder: Path, recipe: SimulationRecipe) -> list[str]:
    """In what a data set is not the training split of a recipe: keys of [simulation], `population`
    among them as one; the seed aside. Empty where nothing is known of how it was made."""
    manifest = read_manifest(folder)
    if manifest.recipe is None:
        return []
    made, wanted = (
        each.model_dump(exclude={"seed"})
        for each in (SimulationRecipe.model_validate(manifest.recipe), recipe)
    )
    keys = [key for key, value in wanted.items() if made[key] != value]
    return keys if manifest.split == "train" else ["split", *keys]


@dataclass(frozen=True)
class Stored:
    """The population of a data set on disk: its scenes were drawn when it was made."""

    bands: tuple[str, ...]

    def draw(self, seed: int, indices: Int[Tensor, " batch"]) -> Scene:
        """Never: they are read."""
        raise NotImplementedError("scenes on disk are read, not drawn")


class Numbered(Dataset[Batch]):
    """The first `length` of any batches, for torch's DataLoader: item k is batch k.

    DataLoader(Numbered(Loader.of(recipe, 16), 1000), batch_size=None, num_workers=2): batches are
    made as such, so the DataLoader has none to make, and its workers change nothing.
    """

    def __init__(self, batches: Batches, length: int) -> None:
        self.batches, self.length = batches, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, step: int) -> Batch:
        if not 0 <= step < self.length:
            raise IndexError(f"batch {step} of {self.length}")
        return self.batches(step)
