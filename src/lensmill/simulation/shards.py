"""Shards: a simulated data set on disk, HDF5 files beside one manifest.

Images are float16 in units of the sky's noise (`noisy / sky_sigma`); everything else is float32.
float16 keeps 11 bits: each pixel within 0.05 % or 3e-8 of the noise, whichever is larger; so
within a twentieth of the noise up to S/N 100. Pixels above 65504 times the noise are cut to it.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lensmill.quantities import Batch

Split = Literal["train", "validation", "test"]
FIRST_INDEX: dict[Split, int] = {"train": 0, "validation": 2**40, "test": 2**41}
"""Splits are disjoint index ranges of one seed."""
FORMAT = "lensmill-shards-1"
IMAGES = ("noisy", "clean", "source")
LARGEST = 65504.0
"""Largest float16."""


@dataclass(frozen=True)
class Manifest:
    """What a data set is: enough to make it again."""

    digest: str  # of the recipe that made it
    seed: int
    split: Split
    count: int
    shard: int  # scenes per shard
    bands: tuple[str, ...]
    format: str = FORMAT

    @property
    def shards(self) -> int:
        """Number of shards."""
        return -(-self.count // self.shard)

    def rows(self, number: int) -> int:
        """Number of scenes in shard `number`."""
        return min(self.shard, self.count - number * self.shard)


def shard_path(folder: Path, number: int) -> Path:
    """Where shard `number` lies."""
    return folder / f"shard-{number:05d}.h5"


def write_manifest(folder: Path, manifest: Manifest, **provenance: Any) -> None:
    """Write `manifest.json`, aside first."""
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / "manifest.part"
    aside.write_text(json.dumps({**asdict(manifest), "provenance": provenance}, indent=1))
    aside.replace(folder / "manifest.json")


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a data set; ValueError where there is none, or another format."""
    path = folder / "manifest.json"
    if not path.is_file():
        raise ValueError(f"{folder} holds no data set: no manifest.json")
    try:
        fields = json.loads(path.read_text())
        if fields.pop("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT!r}")
        fields.pop("provenance", None)
        return Manifest(**{**fields, "bands": tuple(fields["bands"])})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no manifest that this version reads: {error}") from None


def write_shard(folder: Path, manifest: Manifest, number: int, batch: Batch) -> None:
    """Write one shard aside, then rename it."""
    path = shard_path(folder, number)
    aside = path.with_suffix(".part")
    with h5py.File(aside, "w") as file:
        file.attrs["digest"] = manifest.digest
        for name, value in batch.items():
            array = _stored(name, value, batch)
            chunks = (1, *array.shape[1:]) if name in IMAGES else None
            file.create_dataset(name, data=array, chunks=chunks)
    aside.replace(path)


def read_shard(
    folder: Path, manifest: Manifest, number: int, rows: slice = slice(None)
) -> dict[str, Tensor]:
    """Rows of a shard as named quantities; ValueError where it is missing, broken or foreign."""
    path = shard_path(folder, number)
    try:
        with h5py.File(path, "r") as file:
            if file.attrs["digest"] != manifest.digest:
                raise ValueError(f"{path} was made from another recipe than manifest.json says")
            batch = {name: torch.from_numpy(data[rows]).float() for name, data in file.items()}
        sigma = batch["sky_sigma"][..., None, None]
        return {**batch, **{name: batch[name] * sigma for name in IMAGES}}
    except (OSError, KeyError) as error:
        raise ValueError(f"cannot read {path}: {error}") from None


def _stored(name: str, value: Tensor, batch: Batch) -> NDArray[np.floating]:
    if name not in IMAGES:
        return value.cpu().numpy().astype(np.float32)
    scaled = value / batch["sky_sigma"][..., None, None]
    return scaled.clamp(-LARGEST, LARGEST).cpu().numpy().astype(np.float16)
