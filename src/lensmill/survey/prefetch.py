"""Prefetch: what comes next is made while what is there is used; and a clock for who waits."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

Item = TypeVar("Item")
END = object()


def prefetched(items: Iterable[Item]) -> Iterator[Item]:
    """`items`, each made in a thread of their own while the one before it is used."""
    source = iter(items)
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(next, source, END)
        while (item := ahead.result()) is not END:
            ahead = pool.submit(next, source, END)
            yield item  # type: ignore[misc]


@dataclass
class Clock:
    """Seconds and images of each step of the work."""

    seconds: Counter[str] = field(default_factory=Counter)  # type: ignore[type-arg]
    images: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def step(self, name: str, images: int = 0) -> Iterator[None]:
        """Counts what is done in the block."""
        start = time.perf_counter()
        yield
        self.seconds[name] += time.perf_counter() - start
        self.images[name] += images
