"""Measuring: the objects of a partition, read ahead of the chain and predicted in batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from lensmill.quantities import Batch
from lensmill.survey.batches import Budget, budget, in_batches
from lensmill.survey.chain import Chain
from lensmill.survey.inference import Prediction, Row, predict
from lensmill.survey.job import Job
from lensmill.survey.partitions import Partition
from lensmill.survey.prefetch import Clock, prefetched
from lensmill.survey.rows import is_finite
from lensmill.survey.stamps import Stamp, Unreadable, read

CHUNK = 2**18
"""Pixels (y, x) that are read ahead of the batches in hand: 64 stamps of 64×64."""

Numbered = tuple[int, Stamp | Unreadable]
"""An object and its number within the partition."""


@dataclass(frozen=True)
class Measured:
    """Stamps of one shape and what the chain says of them; None, of what cannot be read.

    Of what it says no sensible number, there is an Unreadable among the items.
    """

    items: Sequence[Numbered]
    prediction: Prediction | None


def measured(job: Job, partition: Partition, clock: Clock) -> Iterator[Measured]:
    """Every object of `partition`: read, computed and handed out, each ahead of the next."""
    allowed = budget(job.options.batch, job.options.device)
    chunks = prefetched(_chunks(job, partition, clock))
    return prefetched(_measured(job, chunks, allowed, clock))


def _chunks(job: Job, partition: Partition, clock: Clock) -> Iterator[list[Numbered]]:
    """The objects, in order, as many at once as make up `CHUNK`."""
    chunk: list[Numbered] = []
    pixels = 0
    for item in enumerate(_objects(job, partition, clock)):
        chunk.append(item)
        pixels += item[1].image[0].size if isinstance(item[1], Stamp) else 0
        if pixels >= CHUNK:
            yield chunk
            chunk, pixels = [], 0
    yield chunk


def _objects(job: Job, partition: Partition, clock: Clock) -> Iterator[Stamp | Unreadable]:
    for entry in partition.entries:
        items = read(entry, job.reading)
        while True:
            with clock.step("read"):
                item = next(items, None)
            if item is None:
                break
            clock.images["read"] += 1
            yield item


def _measured(
    job: Job, chunks: Iterator[list[Numbered]], allowed: Budget, clock: Clock
) -> Iterator[Measured]:
    chain = job.chain()
    work = partial(_predicted, chain, job, clock)
    for chunk in chunks:
        yield Measured([item for item in chunk if isinstance(item[1], Unreadable)], None)
        for shape, stamps in _by_shape(chunk).items():
            for group, prediction in in_batches(stamps, shape, allowed, work):
                told = _told(group, prediction.rows) if prediction else _too_large(group, shape)
                yield Measured(told, prediction)


def _by_shape(chunk: list[Numbered]) -> dict[tuple[int, ...], list[Numbered]]:
    shapes: dict[tuple[int, ...], list[Numbered]] = {}
    for number, item in chunk:
        if isinstance(item, Stamp):
            shapes.setdefault(item.image.shape[1:], []).append((number, item))
    return shapes


def _told(group: Sequence[Numbered], rows: Sequence[Row]) -> list[Numbered]:
    """A stamp of which a number is not finite is one that cannot be read."""
    reason = "the networks' numbers of it are not finite: look at its pixels, noise and PSF"
    return [
        (number, item if is_finite(row) else _refused(item, "not_finite", reason))
        for (number, item), row in zip(group, rows, strict=True)
    ]


def _too_large(group: Sequence[Numbered], shape: tuple[int, ...]) -> list[Numbered]:
    """A stamp that does not fit into memory is one that cannot be read."""
    y, x = shape
    reason = f"{y}×{x} pixels (y×x) do not fit into memory"
    return [(number, _refused(item, "out_of_memory", reason)) for number, item in group]


def _refused(item: Stamp | Unreadable, flag: str, reason: str) -> Unreadable:
    return Unreadable(item.id, item.source, f"{item.source}: {reason}", flag)


def _predicted(chain: Chain, job: Job, clock: Clock, group: Sequence[Numbered]) -> Prediction:
    stamps = [item for _, item in group if isinstance(item, Stamp)]
    return predict(chain, as_batch(stamps, job.options.device), job.options.p_lens, clock)


def as_batch(stamps: Sequence[Stamp], device: str) -> Batch:
    """Stamps of one shape as named quantities."""
    arrays = {
        "noisy": [stamp.image for stamp in stamps],
        "sky_sigma": [stamp.sky_sigma for stamp in stamps],
        "psf_fwhm": [stamp.psf_fwhm for stamp in stamps],
        "pixel_scale": [stamp.pixel_scale for stamp in stamps],
    }
    tensors = {k: torch.from_numpy(np.asarray(v, np.float32)) for k, v in arrays.items()}
    if not device.startswith("cuda"):
        return {name: value.to(device) for name, value in tensors.items()}
    return {name: v.pin_memory().to(device, non_blocking=True) for name, v in tensors.items()}
