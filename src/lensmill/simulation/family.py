"""Family: what a worker process hears, and that it does not outlive its parent. No torch here."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


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


def die_with_parent() -> None:
    """An orphan must not go on writing: a parent that is killed cannot say so."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
