"""Shards: a simulated data set on disk, HDF5 files beside one manifest.

Images are float16 in units of the sky's noise (`noisy / sky_sigma`); everything else is as it was
drawn, float32. float16 keeps 11 bits: each pixel within 0.05 % (2^-11) of itself or 3e-8 of the
noise, whichever is larger; so within a twentieth of the noise up to S/N 100. Beyond, steps grow
with the pixel: at S/N 2000 it is off by up to half a sky sigma, where its own photons have a noise
of 2.3 and more (LSST's g, r, i, ten years, pixels of 0.2″). Noisy images do not suffer, but very
bright cores learn from rounded truth. Where that matters, do not store `clean` and `source`: what
is not stored is rendered. Pixels above 65504 times the noise are cut to it.

Beside each shard lies its SHA-256, as `sha256sum --check` reads it. It is in a file of its own
because that needs nobody but the process that makes the shard: in the manifest, processes would
have to take turns, and a run that is killed would leave shards without one. It is written before
the shard gets its name, so a shard without one was not made here.
"""

import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import h5py
import torch
from jaxtyping import Int
from torch import Tensor

from lensmill.provenance import digest
from lensmill.quantities import Batch
from lensmill.simulation.scene import Conditions, Scene, flattened, unflattened

Split = Literal["train", "validation", "test"]
FIRST_INDEX: dict[Split, int] = {"train": 0, "validation": 2**40, "test": 2**41}
"""Splits are disjoint index ranges of one seed."""
FORMAT = "lensmill-shards-2"
IMAGES = ("noisy", "clean", "source")
COMPRESSIONS = ("gzip",)
LARGEST = 65504.0
"""Largest float16."""
REMEDY = "the lensmill simulate command that made the data set, given again, makes it again"


@dataclass(frozen=True)
class Manifest:
    """What a data set is: enough to make it again."""

    digest: str  # of the recipe, and of all that it stands for
    seed: int
    split: Split
    count: int
    shard: int  # scenes per shard
    bands: tuple[str, ...]
    chunk: int = 16  # scenes rendered together, counted from each shard's first
    images: tuple[str, ...] = IMAGES
    """Which are stored; none: the scenes and their conditions alone."""
    compression: str | None = None
    device: str = "cpu"
    recipe: dict[str, Any] | None = None
    """The completed recipe's simulation; None where the simulator was built by hand."""
    format: str = FORMAT

    @property
    def shards(self) -> int:
        """Number of shards."""
        return -(-self.count // self.shard)

    def rows(self, number: int) -> int:
        """Number of scenes in shard `number`."""
        return min(self.shard, self.count - number * self.shard)

    def indices(self, number: int) -> Int[Tensor, " batch"]:
        """The scenes of shard `number`; the first also draws its grid."""
        first = FIRST_INDEX[self.split] + number * self.shard
        return torch.arange(first, first + self.rows(number))

    @property
    def identity(self) -> str:
        """A digest of everything but `count`, which changes no full shard."""
        fields = {name: value for name, value in asdict(self).items() if name != "count"}
        return digest(json.dumps(fields, sort_keys=True).encode())


def shard_path(folder: Path, number: int) -> Path:
    """Where shard `number` lies."""
    return folder / f"shard-{number:05d}.h5"


def write_manifest(folder: Path, manifest: Manifest, **provenance: Any) -> None:
    """Write `manifest.json`."""
    text = json.dumps({**asdict(manifest), "provenance": provenance}, indent=1)
    _write(folder / "manifest.json", text.encode())


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
        tuples = {name: tuple(fields[name]) for name in ("bands", "images")}
        return Manifest(**{**fields, **tuples})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is no manifest that this version reads: {error}. If it was damaged, delete "
            "it and give the lensmill simulate command again, which keeps the shards"
        ) from None


def write_shard(
    folder: Path,
    manifest: Manifest,
    number: int,
    scene: Scene,
    conditions: Conditions,
    batch: Batch,
) -> None:
    """Write a shard and its checksum; ValueError where there is no room for it, or no right."""
    path = shard_path(folder, number)
    content = _content(manifest, number, _tensors(manifest, scene, conditions, batch))
    checksum = f"{hashlib.sha256(content).hexdigest()}  {path.name}\n"
    _write(path.with_suffix(".sha256"), checksum.encode())
    _write(path, content)


def read_shard(
    folder: Path,
    manifest: Manifest,
    number: int,
    rows: slice = slice(None),
    names: Sequence[str] | None = None,
) -> dict[str, Tensor]:
    """Rows of a shard as named quantities (none, where the scenes alone are stored).

    names: which; all by default. ValueError where the shard is missing, damaged or of another
    data set.
    """
    with _opened(folder, manifest, number) as file:
        stored = [name for name, each in file.items() if isinstance(each, h5py.Dataset)]
        chosen = [name for name in stored if names is None or name in names]
        batch = {name: _rows(file[name], rows).float() for name in chosen}
        for name in set(chosen) & set(IMAGES):
            batch[name] *= _rows(file["sky_sigma"], rows)[..., None, None]
    return batch


def read_scenes(
    folder: Path, manifest: Manifest, number: int, rows: slice = slice(None)
) -> tuple[Scene, Conditions]:
    """Rows of a shard as scenes and conditions, as they were drawn; ValueError as `read_shard`."""
    with _opened(folder, manifest, number) as file:
        scene, conditions = (_tensors_in(file[name], rows) for name in ("scene", "conditions"))
        return unflattened(Scene, scene), unflattened(Conditions, conditions)


def check_shard(folder: Path, manifest: Manifest, number: int) -> None:
    """ValueError, with the remedy, unless the shard is there, whole and of this data set."""
    with _opened(folder, manifest, number):
        pass


@contextmanager
def _opened(folder: Path, manifest: Manifest, number: int) -> Iterator[h5py.File]:
    """A shard, once its bytes are known to be good."""
    path = shard_path(folder, number)
    try:
        _check_bytes(path)
        with h5py.File(path, "r") as file:
            found = {name: file.attrs[name] for name in ("data_set", "number", "rows")}
            if found != _attributes(manifest, number):
                raise ValueError(f"{path} belongs elsewhere than manifest.json says; {REMEDY}")
            yield file
    except (OSError, KeyError) as error:
        raise ValueError(f"cannot read {path}: {error}; {REMEDY}") from None


def _check_bytes(path: Path) -> None:
    status = path.stat()
    expected = path.with_suffix(".sha256").read_text(errors="replace").split()
    if expected != [_sha256(path, status.st_ino, status.st_size, status.st_mtime_ns), path.name]:
        raise ValueError(f"{path} is damaged: its SHA-256 is not the one beside it; {REMEDY}")


@lru_cache(maxsize=2**16)
def _sha256(path: Path, inode: int, size: int, time: int) -> str:
    """Of a file's content, computed once while the file stays as it is."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _attributes(manifest: Manifest, number: int) -> dict[str, Any]:
    return {"data_set": manifest.identity, "number": number, "rows": manifest.rows(number)}


def _tensors(
    manifest: Manifest, scene: Scene, conditions: Conditions, batch: Batch
) -> dict[str, Tensor]:
    """All that goes into a shard, by name."""
    drawn = {**flattened(scene, "scene/"), **flattened(conditions, "conditions/")}
    left_out = batch if not manifest.images else set(IMAGES) - set(manifest.images)
    return {**drawn, **{name: value for name, value in batch.items() if name not in left_out}}


def _content(manifest: Manifest, number: int, tensors: Mapping[str, Tensor]) -> memoryview:
    """The bytes of a shard: the same for the same tensors, so nothing of time or place."""
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.attrs.update(_attributes(manifest, number))
        for name, value in tensors.items():
            options: dict[str, Any] = {}
            if name in IMAGES:
                value = _in_sigmas(value, tensors["sky_sigma"])
                options = {"chunks": (1, *value.shape[1:]), **_filters(manifest.compression)}
            file.create_dataset(name, data=value.cpu().numpy(), track_times=False, **options)
    return content.getbuffer()


def _filters(compression: str | None) -> dict[str, Any]:
    """Bytes of equal weight lie together before they are packed."""
    return {} if compression is None else {"compression": compression, "shuffle": True}


def _in_sigmas(image: Tensor, sky_sigma: Tensor) -> Tensor:
    return (image / sky_sigma[..., None, None]).clamp(-LARGEST, LARGEST).half()


def _tensors_in(group: h5py.Group, rows: slice) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}

    def keep(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = _rows(item, rows)

    group.visititems(keep)
    return found


def _rows(data: h5py.Dataset, rows: slice) -> Tensor:
    return torch.from_numpy(data[rows])


def _write(path: Path, content: bytes | memoryview) -> None:
    """Write aside, then rename: a file is whole or not there, and nothing is left aside."""
    aside = path.with_name(f"{path.name}.{uuid4().hex}.part")  # ours alone, whoever else writes
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_bytes(content)
        aside.replace(path)
    except OSError as error:
        raise ValueError(
            f"cannot write {path}: {error.strerror or error}; what is written already is good, "
            "and the same command goes on from there"
        ) from None
    finally:
        with suppress(OSError):  # not there: it has its name, or there never was room for it
            aside.unlink()
