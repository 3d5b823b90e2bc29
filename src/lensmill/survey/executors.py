"""Executors: this process, processes of this machine, and a Dask cluster, all used alike."""

import os
import signal
import threading
from asyncio import CancelledError
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from multiprocessing import get_context
from typing import Any

from lensmill.simulation.family import deaf, die_with_parent

GOES_ON = "what is written is good, and the same command goes on"
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
    executor = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_settle)
    try:
        with deaf():  # from their first moment
            for _ in range(workers):
                executor.submit(os.getpid)
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)


def _settle() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=die_with_parent, daemon=True).start()


class DaskWorkers(Executor):
    """The workers of a Dask client.

    The client's own executor will not do: where the scheduler dies while an answer is fetched, its
    future is never done.
    """

    def __init__(self, client: Any) -> None:
        self.client = client

    def submit(self, work: Callable[..., Any], /, *args: Any, **keywords: Any) -> Future[Any]:
        future: Future[Any] = Future()
        remote = self.client.submit(work, *args, pure=False, retries=RETRIES, **keywords)
        remote.add_done_callback(partial(_pass_on, future))
        return future


def _pass_on(future: Future[Any], remote: Any) -> None:
    """What became of a piece of work; BrokenExecutor where nobody knows."""
    if not future.set_running_or_notify_cancel():
        return
    if remote.status == "error":
        future.set_exception(remote.exception())
        return
    try:
        if remote.status != "finished":
            raise BrokenExecutor(remote.status)
        future.set_result(remote.result())
    except (Exception, CancelledError) as error:
        future.set_exception(BrokenExecutor(str(error)))


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
            yield DaskWorkers(client)
    except KilledWorker as error:
        raise ValueError(f"Dask's workers die of the work: {error}; {GOES_ON}") from None
    except BrokenExecutor:
        raise ValueError(f"Dask's scheduler is gone; {GOES_ON}") from None


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
