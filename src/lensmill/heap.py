"""Heap: freed memory that is kept, where the C library would give it back at every batch, and
given back, where it would pile up."""

import ctypes
import sys
from collections.abc import Callable

MMAP_THRESHOLD, TOP_PAD, TRIM_THRESHOLD = -3, -2, -1
"""glibc's malloc.h."""
LARGE = 2**25
"""Bytes; the largest block that glibc lets the heap hold."""


def keep_freed_memory() -> bool:
    """Let this process hold on to what it frees, from now on; whether that could be asked for.

    Images of a batch are large blocks, which glibc maps anew each time; touching new pages took a
    fifth of a CPU's time in the chain. No effect but on Linux with glibc.
    """
    mallopt = _of_the_c_library("mallopt")
    wanted = ((MMAP_THRESHOLD, LARGE), (TRIM_THRESHOLD, 2**31 - 1), (TOP_PAD, LARGE))
    return mallopt is not None and all(mallopt(key, value) for key, value in wanted)


def give_back_freed_memory() -> bool:
    """Give what is free back to the system; whether that could be asked for.

    Between the small columns that an evaluation keeps, the gaps that large images leave are not all
    filled again: without this, it takes another megabyte for every system.
    """
    trim = _of_the_c_library("malloc_trim")
    return trim is not None and bool(trim(0))


def _of_the_c_library(name: str) -> Callable[..., int] | None:
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), name, None)
