"""Engine: who works on the partitions. Everything goes through `concurrent.futures.Executor`."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from lensmill.survey.executors import GOES_ON, Here, dask_cluster, local_processes

Piece = TypeVar("Piece")
Answer = TypeVar("Answer")
Kind = Literal["process", "local", "dask"]

AHEAD = 2
"""Pieces of work, for each worker, that are handed out before they are needed."""
UNKNOWN = 256
"""Pieces handed out to an executor that does not say how many workers it has."""
DEATHS = 3
"""Times in a row that workers may die before a single piece of work is done."""


@dataclass(frozen=True)
class Engine:
    """Workers: `process` is this one, `local` are processes of this machine, `dask` a cluster.

    workers: how many; 0: one for each core. scheduler: a running Dask's (`tcp://…`), whose own
    workers are taken; without one, a cluster of this machine is started.
    """

    kind: Kind = "process"
    workers: int = 0
    scheduler: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("process", "local", "dask"):
            raise ValueError(f"engine: no {self.kind!r}; choices: process, local, dask")
        if self.workers and self.kind == "process":
            raise ValueError(f"workers: {self.workers} are for the engines local and dask")
        if self.scheduler and self.kind != "dask":
            raise ValueError(f"scheduler: {self.scheduler} is for the engine dask alone")

    @property
    def hired(self) -> int:
        """Worker processes that are started."""
        return self.workers or len(os.sched_getaffinity(0))


def answers(
    work: Callable[[Piece], Answer], pieces: Iterable[Piece], engine: Engine | Executor
) -> Iterator[Answer]:
    """`work` of every piece, as it gets done; exceptions of `work` are raised here.

    Where processes of this machine die, others take their place. ValueError where they do so
    again and again, or a cluster is gone.
    """
    waiting = deque(pieces)
    if isinstance(engine, Executor):
        yield from HandedOut(work, waiting, UNKNOWN).through(engine)
    elif engine.kind == "process":
        yield from HandedOut(work, waiting, 1).through(Here())
    elif engine.kind == "dask":
        with dask_cluster(engine.scheduler, engine.hired) as executor:
            yield from HandedOut(work, waiting, UNKNOWN).through(executor)
    else:
        yield from _by_processes(HandedOut(work, waiting, AHEAD * engine.hired), engine.hired)


@dataclass
class HandedOut(Generic[Piece, Answer]):
    """Work that is handed out bit by bit; what one executor leaves undone, the next one gets."""

    work: Callable[[Piece], Answer]
    waiting: deque[Piece]
    most: int  # at once
    in_hand: dict[Future[Answer], Piece] = field(default_factory=dict)

    def through(self, executor: Executor) -> Iterator[Answer]:
        """The answers, as they come; all that is out is called back where this ends early."""
        try:
            while self._hand_out(executor):
                done, _ = wait(self.in_hand, return_when=FIRST_COMPLETED)
                for future in done:
                    answer = future.result()
                    del self.in_hand[future]
                    yield answer
        finally:
            self._call_back()

    def _hand_out(self, executor: Executor) -> bool:
        """As much as there may be; is anything out?"""
        while self.waiting and len(self.in_hand) < self.most:
            future = executor.submit(self.work, self.waiting[0])
            self.in_hand[future] = self.waiting.popleft()
        return bool(self.in_hand)

    def _call_back(self) -> None:
        for future, piece in self.in_hand.items():
            future.cancel()
            self.waiting.append(piece)
        self.in_hand.clear()


def _by_processes(work: HandedOut[Piece, Answer], workers: int) -> Iterator[Answer]:
    """With new processes for those that died."""
    deaths = 0
    while work.waiting:
        try:
            with local_processes(min(workers, len(work.waiting))) as executor:
                for answer in work.through(executor):
                    deaths = 0
                    yield answer
        except BrokenExecutor:
            deaths += 1
            if deaths == DEATHS:
                raise ValueError(
                    f"worker processes died {DEATHS} times in a row (out of memory? take fewer "
                    f"workers or a smaller batch); {GOES_ON}"
                ) from None
