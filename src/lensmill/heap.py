"""Heap: freed memory that is kept, where the C library would give it back at every batch."""

import ctypes
import sys

MMAP_THRESHOLD, TOP_PAD, TRIM_THRESHOLD = -3, -2, -1
"""glibc's malloc.h."""
LARGE = 2**25
"""Bytes; the largest block that glibc lets the heap hold."""


def keep_freed_memory() -> bool:
    """Let this process hold on to what it frees, from now on; whether that could be asked for.

    Images of a batch are large blocks, which glibc maps anew each time; touching new pages took a
    fifth of a CPU's time in the chain. No effect but on Linux with glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    wanted = ((MMAP_THRESHOLD, LARGE), (TRIM_THRESHOLD, 2**31 - 1), (TOP_PAD, LARGE))
    return mallopt is not None and all(mallopt(key, value) for key, value in wanted)
