"""Partitions: a run as a list of small pieces of work, each of them nobody else's."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from lensmill.provenance import digest
from lensmill.survey.arrivals import signature_of
from lensmill.survey.reading import Entry
from lensmill.survey.stamps import count_objects

SIZE = 256
"""Objects in a partition: what is done again, at most, for each worker that dies."""


@dataclass(frozen=True)
class Partition:
    """A few entries to be read one after another."""

    number: int
    first: int  # objects in the partitions before it
    objects: int  # as listed; what cannot be read counts as one
    entries: tuple[Entry, ...]

    def files(self) -> str:
        """Digest of where it begins, and of names, sizes and times of its files as they are now."""
        signed = [(each.source, each.rows, signature_of(each)) for each in self.entries]
        return digest(repr((self.first, self.objects, signed)).encode())


def partitions(entries: Iterable[Entry], size: int = SIZE) -> list[Partition]:
    """`entries` in order, about `size` objects in each; files of more are divided among several."""
    made: list[Partition] = []
    chosen: list[Entry] = []
    first, count = 0, 0
    pieces = (piece for entry in entries for piece in _pieces(entry, size))
    for piece, objects in pieces:
        if chosen and count + objects > size:
            made.append(Partition(len(made), first, count, tuple(chosen)))
            first, count, chosen = first + count, 0, []
        chosen.append(piece)
        count += objects
    return [*made, Partition(len(made), first, count, tuple(chosen))]


def _pieces(entry: Entry, size: int) -> Iterator[tuple[Entry, int]]:
    """`entry` and its objects, or the parts of a long file and theirs."""
    count = count_objects(entry)
    if count <= size:
        yield entry, count
        return
    for start in range(0, count, size):
        end = min(start + size, count)
        yield replace(entry, rows=(start, end)), end - start
