"""Workers: a function of many numbers, in processes that neither hang nor outlive their parent."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import torch

Work = Callable[[int], Any]


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread inside the block: how sums are shared out is rounding."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def answers(work: Work, numbers: Iterable[int], processes: int) -> Iterator[Any]:
    """`work` of every number, as it gets done; one process is this one. One thread each.

    ValueErrors of `work` are raised here; so is one where a process died.
    """
    if processes > 1:
        yield from _shared_out(work, deque(numbers), processes)
        return
    for number in numbers:
        with one_thread():
            answer = work(number)
        yield answer


def _shared_out(work: Work, waiting: deque[int], processes: int) -> Iterator[Any]:
    with deaf():
        hired = [_hire(work) for _ in range(min(processes, len(waiting)))]
    try:
        busy = {line: process for process, line in hired}
        for line in busy:
            _give(line, waiting.popleft())
        while busy:
            ready = wait(list(busy))
            for line in [line for line in busy if line in ready]:
                yield _answer(line, busy[line])
                if waiting:
                    _give(line, waiting.popleft())
                else:
                    del busy[line]
    finally:
        for process, _ in hired:
            process.terminate()
            process.join()


@contextmanager
def deaf() -> Iterator[None]:
    """Processes started in the block never hear Ctrl-C: that is for the parent, who ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python lets the main thread alone say this
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _hire(work: Work) -> tuple[BaseProcess, Connection]:
    """A process, and the line on which it takes numbers and gives answers."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(work, theirs), daemon=True)
    process.start()
    theirs.close()  # now the line ends when the process does
    return process, ours


def _give(line: Connection, number: int) -> None:
    with suppress(OSError):  # of a process that died: reading its answer says so
        line.send(number)


def _answer(line: Connection, process: BaseProcess) -> Any:
    try:
        answer = line.recv()
    except (EOFError, OSError):
        process.join()
        raise ValueError(
            f"a worker process died (exit code {process.exitcode}; -9 may mean out of memory: "
            "take fewer processes); what is written is good, the same command goes on"
        ) from None
    if isinstance(answer, ValueError):
        raise answer
    return answer


def _serve(work: Work, line: Connection) -> None:
    """A worker's life: numbers in, answers out, until the line or the parent is gone."""
    threading.Thread(target=die_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    with suppress(EOFError, BrokenPipeError):
        while True:
            line.send(_outcome(work, line.recv()))


def _outcome(work: Work, number: int) -> Any:
    try:
        return work(number)
    except ValueError as error:
        return error


def die_with_parent() -> None:
    """An orphan must not go on writing: a parent that is killed cannot say so."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
