"""Executors: this process, processes of this machine, and a Dask cluster, all used alike."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from multiprocessing import get_context
from typing import Any

from lensmill.simulation.workers import deaf, die_with_parent

RETRIES = 3
"""Times that a piece of work is given to another worker of a cluster when one dies of it."""


class Here(Executor):
    """Runs each piece of work at once, in this process and thread."""

    def submit(self, work: Callable[..., Any], /, *args: Any, **keywords: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(work(*args, **keywords))
        except Exception as error:
            future.set_exception(error)
        return future


@contextmanager
def local_processes(workers: int) -> Iterator[Executor]:
    """Processes that neither hear Ctrl-C, which is for the parent, nor outlive it."""
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_settle) as executor:
        with deaf():  # from their first moment
            for _ in range(workers):
                executor.submit(os.getpid)
        yield executor


def _settle() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=die_with_parent, daemon=True).start()


@contextmanager
def dask_cluster(scheduler: str | None, workers: int) -> Iterator[Executor]:
    """The workers of a running Dask scheduler, or of one started here with `workers` processes.

    ValueError where there is none, or it goes away, or its workers die of the work.
    """
    try:
        from distributed import KilledWorker
    except ImportError:
        raise ValueError(
            "the engine dask needs distributed: pip install 'lensmill[dask]'"
        ) from None
    try:
        with _cluster(scheduler, workers) as address, _client(address) as client:
            yield client.get_executor(pure=False, retries=RETRIES)
    except KilledWorker as error:
        raise ValueError(f"Dask's workers die of the work: {error}; {GOES_ON}") from None
    except CancelledError:
        raise ValueError(f"Dask's scheduler is gone; {GOES_ON}") from None


GOES_ON = "what is written is good, and the same command goes on"


def _cluster(scheduler: str | None, workers: int) -> AbstractContextManager[Any]:
    from distributed import LocalCluster

    if scheduler is not None:
        return nullcontext(scheduler)
    return LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)


def _client(address: Any) -> Any:
    from distributed import Client

    try:
        return Client(address, set_as_default=False)
    except OSError as error:
        raise ValueError(f"no Dask scheduler answers at {address}: {error}") from None
