"""Batches: as many stamps at once as memory takes, and fewer where it takes fewer."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

CACHED = 2**17
"""Pixels (y, x) of a batch on a CPU: 32 stamps of 64×64. More would leave its caches."""
MOST = 2**22
"""Pixels of a batch on a GPU: 1024 stamps of 64×64. More is no faster."""
BYTES_PER_PIXEL = 4096
"""What the widest layers of a network keep for a pixel (y, x), generously."""
WORDS = ("not enough memory", "can't allocate memory", "out of memory")


@dataclass
class Budget:
    """How many stamps make a batch: `batch` of them, or, where 0, what fits into `pixels`."""

    batch: int
    pixels: int

    def count(self, shape: tuple[int, ...]) -> int:
        """Stamps (y, x) in a batch."""
        fitting = max(1, self.pixels // (shape[0] * shape[1]))
        return min(self.batch, fitting) if self.batch else fitting

    def shrink(self, count: int, shape: tuple[int, ...]) -> None:
        """`count` stamps were too many: half of them from now on."""
        self.pixels = count // 2 * shape[0] * shape[1]


def budget(batch: int, device: str) -> Budget:
    """The budget of a device; a given `batch` is tried whatever the memory."""
    return Budget(batch, 2**62 if batch else _pixels(device))


def _pixels(device: str) -> int:
    if not device.startswith("cuda"):
        return CACHED
    free, _ = torch.cuda.mem_get_info(device)
    return min(MOST, free // 2 // BYTES_PER_PIXEL)


def in_batches(
    items: Sequence[Item],
    shape: tuple[int, ...],
    allowed: Budget,
    work: Callable[[Sequence[Item]], Result],
) -> Iterator[tuple[Sequence[Item], Result | None]]:
    """(batch, its result), in order; None for a single item that does not fit into memory."""
    start = 0
    while start < len(items):
        group = items[start : start + allowed.count(shape)]
        result = _fitting(work, group)
        if result is None and len(group) > 1:
            allowed.shrink(len(group), shape)
            continue
        yield group, result
        start += len(group)


def _fitting(work: Callable[[Sequence[Item]], Result], group: Sequence[Item]) -> Result | None:
    """The work's result; None where memory does not suffice."""
    try:
        return work(group)
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None


def out_of_memory(error: Exception) -> bool:
    """Is it for want of memory? (Of a CPU, torch says so in words alone.)"""
    known = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return known or any(words in str(error) for words in WORDS)
