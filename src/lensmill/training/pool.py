"""Pool: prepared batches that are kept and used again, each time turned another way."""

from collections.abc import Callable

from lensmill.quantities import Batch
from lensmill.stages.symmetry import ELEMENTS, turned

Pair = tuple[Batch, Batch]
"""(what the stage reads, the truth)."""
Prepare = Callable[[int], Pair]
"""Batch number -> what is made of it."""


class Pool:
    """Hands out `size` batches over and over; pass k of the pool sees symmetry k mod 8.

    What a step gets is a function of the step alone, so a resumed training, which fills its pool
    anew, goes on as if never stopped. Size 0: every step prepares its own batch.
    """

    def __init__(self, prepare: Prepare, size: int) -> None:
        self.prepare, self.size = prepare, size
        self.kept: dict[int, Pair] = {}

    def __call__(self, step: int) -> Pair:
        if self.size == 0:
            return self.prepare(step)
        number = step % self.size
        if number not in self.kept:
            self.kept[number] = self.prepare(number)
        element = (step // self.size) % len(ELEMENTS)
        batch, truth = self.kept[number]
        return turned(batch, element), turned(truth, element)
