"""Simulate: a data set on disk, resumable shard by shard."""

from collections.abc import Callable
from pathlib import Path

import torch

from lensmill.provenance import digest, provenance
from lensmill.simulation.grids import Grids
from lensmill.simulation.shards import (
    FIRST_INDEX,
    Manifest,
    Split,
    read_manifest,
    shard_path,
    write_manifest,
    write_shard,
)
from lensmill.simulation.simulator import Simulator

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
    device: str = "cpu",
    report: Report = lambda share, line: None,
) -> Manifest:
    """Write `count` scenes to `out`; shards that are there already are kept.

    Each shard has one grid, drawn from `grids`. The result does not depend on how often the work
    was interrupted. ValueError where `out` holds another data set.
    """
    identity = f"{simulator.population!r} {simulator.observing!r} {simulator.sampling!r} {grids!r}"
    manifest = Manifest(
        digest(identity.encode()), seed, split, count, shard, simulator.observing.bands
    )
    _claim(out, manifest)
    for number in range(manifest.shards):
        if not shard_path(out, number).is_file():
            _make_shard(simulator, grids, out, manifest, number, device)
        report((number + 1) / manifest.shards, f"{min((number + 1) * shard, count)} scenes")
    return manifest


def _claim(out: Path, manifest: Manifest) -> None:
    if not (out / "manifest.json").is_file():
        write_manifest(out, manifest, **provenance())
    elif read_manifest(out) != manifest:
        raise ValueError(f"{out} holds a data set of another recipe, seed or size")


def _make_shard(
    simulator: Simulator, grids: Grids, out: Path, manifest: Manifest, number: int, device: str
) -> None:
    first = FIRST_INDEX[manifest.split] + number * manifest.shard
    indices = torch.arange(first, first + manifest.rows(number), device=device)
    grid = grids.draw(manifest.seed, first)
    write_shard(out, manifest, number, simulator.on(grid)(manifest.seed, indices))
