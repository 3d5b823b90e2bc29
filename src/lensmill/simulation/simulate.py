"""Simulate: a data set on disk, resumable shard by shard, the same bytes whoever makes it.

On one machine and with one torch and HDF5, the bytes of a shard are a function of the recipe, the
seed, the range of indices and the chunk alone. Measured on AVX2, over nine shapes of stamp: how
many scenes share a chunk changes up to 6 % of the pixels by up to 4e-8 of the brightest (the
matrix products are summed otherwise), so chunks count from each shard's first scene and their
size is in the manifest; the number of threads changed nothing, but nothing in torch promises
that, so shards are made on one. A GPU adds in no fixed order: there a shard that is made again
differs in rounding, and the manifest says `cuda`.
"""

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from lensmill.provenance import digest, provenance
from lensmill.simulation.grids import Grids
from lensmill.simulation.shards import (
    COMPRESSIONS,
    IMAGES,
    REMEDY,
    Manifest,
    Split,
    check_shard,
    read_manifest,
    shard_path,
    write_manifest,
    write_shard,
)
from lensmill.simulation.simulator import Simulator
from lensmill.simulation.workers import answers

logger = logging.getLogger(__name__)
Report = Callable[[float, str], None]


def simulate(
    simulator: Simulator,
    grids: Grids,
    out: Path,
    *,
    seed: int,
    count: int,
    split: Split = "train",
    shard: int = 512,
    images: tuple[str, ...] = IMAGES,
    compression: str | None = None,
    recipe: Mapping[str, Any] | None = None,
    processes: int = 1,
    device: str = "cpu",
    report: Report = lambda share, line: None,
) -> Manifest:
    """Write `count` scenes to `out`; shards that are there and good are kept, others made again.

    Each shard has one grid, drawn from `grids`. On a CPU the bytes do not depend on `processes`,
    on threads, or on how often the work was interrupted. images: which to store; none stores the
    scenes and their conditions alone, which ShardLoader renders. recipe: what `simulator` and
    `grids` were built from, kept in the manifest; rendering needs it. Where processes > 1, a
    script calls this under `if __name__ == "__main__":`. ValueError where there is no such device,
    `out` holds another data set or cannot be written, or a process dies; what is written then is
    good.
    """
    manifest = Manifest(
        _digest(simulator, grids, recipe),
        seed,
        split,
        count,
        shard,
        simulator.observing.bands,
        simulator.chunk,
        tuple(name for name in IMAGES if name in images),
        compression,
        device.partition(":")[0],
        None if recipe is None else json.loads(json.dumps(recipe)),
    )
    _check(manifest, images, processes)
    _check_device(device)
    _claim(out, manifest)
    made, maker = 0, _Maker(simulator, grids, out, manifest, device)
    with _swept(out):
        for number, wrong in answers(maker, range(manifest.shards), processes):
            made += manifest.rows(number)
            if wrong:
                logger.warning("made again: %s", wrong)
            report(made / count, f"{made} scenes")
    return manifest


def _digest(simulator: Simulator, grids: Grids, recipe: Mapping[str, Any] | None) -> str:
    """Of the recipe, and of the numbers that its names stand for today."""
    parts = (simulator.population, simulator.observing, simulator.fineness, grids)
    text = f"{' '.join(map(repr, parts))} {json.dumps(recipe, sort_keys=True)}"
    if " at 0x" in text:
        raise ValueError("a population needs a repr that says what it is, as a dataclass has")
    return digest(text.encode())


def _check(manifest: Manifest, images: tuple[str, ...], processes: int) -> None:
    unknown = set(images) - set(IMAGES)
    if unknown:
        raise ValueError(f"no image is called {min(unknown)!r}; choices: {', '.join(IMAGES)}")
    if manifest.compression not in (None, *COMPRESSIONS):
        choices = ", ".join(COMPRESSIONS)
        raise ValueError(f"no compression {manifest.compression!r}; choices: {choices}")
    if set(images) != set(IMAGES) and manifest.recipe is None:
        raise ValueError("images that are not stored are rendered from the recipe: pass recipe=")
    if processes > 1 and manifest.device != "cpu":
        raise ValueError(f"{processes} processes are for the CPU; {manifest.device} takes one")


def _check_device(device: str) -> None:
    try:
        torch.empty(0, device=device)
    except (AssertionError, RuntimeError) as error:  # a torch without it, or a machine
        raise ValueError(f"no device {device!r} here: {str(error).splitlines()[0]}") from None


def _claim(out: Path, manifest: Manifest) -> None:
    if not (out / "manifest.json").is_file():
        write_manifest(out, manifest, **provenance())
        return
    there, wanted = asdict(read_manifest(out)), asdict(manifest)
    other = [name for name, value in wanted.items() if there[name] != value]
    if other:
        names = dict.fromkeys("recipe" if name == "digest" else name for name in other)
        raise ValueError(f"{out} holds another data set, of another {', '.join(names)}")


@contextmanager
def _swept(out: Path) -> Iterator[None]:
    """Without what killed processes left half written; what another is writing stays.

    Whoever is at work shares a lock on the folder, which ends with its process, however that ends;
    who can have it alone sweeps, before and after. Without such locks nobody does.
    """
    if os.name != "posix":
        yield
        return
    lock = os.open(out, os.O_RDONLY)
    try:
        _sweep(out, lock)
        _locked(lock, alone=False)
        yield
    finally:
        _sweep(out, lock)
        os.close(lock)


def _sweep(out: Path, lock: int) -> None:
    if _locked(lock, alone=True):
        for aside in out.glob("shard-*.part"):
            aside.unlink(missing_ok=True)


def _locked(lock: int, *, alone: bool) -> bool:
    """Takes the lock: alone if nobody else has it, or with all others who are at work."""
    import fcntl

    with suppress(OSError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB if alone else fcntl.LOCK_SH)
        return True
    return False


@dataclass(frozen=True)
class _Maker:
    """Makes shards; a process can be handed one."""

    simulator: Simulator
    grids: Grids
    out: Path
    manifest: Manifest
    device: str

    def __call__(self, number: int) -> tuple[int, str]:
        """The number, and what was wrong with the shard that was there; "" if nothing was."""
        wrong = ""
        if shard_path(self.out, number).is_file():
            try:
                check_shard(self.out, self.manifest, number)
                return number, wrong
            except ValueError as error:
                wrong = str(error).removesuffix(f"; {REMEDY}")
        self._make(number)
        return number, wrong

    def _make(self, number: int) -> None:
        seed, indices = self.manifest.seed, self.manifest.indices(number).to(self.device)
        simulator = self.simulator.on(self.grids.draw(seed, int(indices[0])))
        drawn = simulator.draw(seed, indices)
        batch = simulator.image(*drawn, seed, indices) if self.manifest.images else {}
        write_shard(self.out, self.manifest, number, *drawn, batch)
