"""Freed memory is kept where the C library can be told so."""

import platform
import subprocess
import sys

import pytest

from lensmill.heap import give_back_freed_memory, keep_freed_memory

GLIBC = platform.libc_ver()[0] == "glibc"
FAULTS = """
import ctypes, resource, sys
from lensmill.heap import keep_freed_memory

libc = ctypes.CDLL(None)
libc.malloc.argtypes, libc.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
SIZE = 12_000_000


def batch():
    blocks = [libc.malloc(SIZE) for _ in range(4)]
    for block in blocks:
        ctypes.memset(block, 1, SIZE)
    for block in blocks:
        libc.free(block)


if sys.argv[1] == "kept":
    keep_freed_memory()
batch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    batch()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

GAPS = """
import ctypes, resource
from lensmill.heap import give_back_freed_memory

libc = ctypes.CDLL(None)
libc.malloc.argtypes, libc.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]


def held():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()


blocks = [(libc.malloc(100_000), libc.malloc(100)) for _ in range(1000)]
for large, _ in blocks:
    ctypes.memset(large, 1, 100_000)
for large, _ in blocks:
    libc.free(large)
before = held()
assert give_back_freed_memory()
print(before - held())
"""


def faults(how):
    """Pages that a process touched anew while it filled and forgot ten batches of images."""
    done = subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True)
    return int(done.stdout)


@pytest.mark.skipif(not GLIBC, reason="no glibc")
def test_large_blocks_are_not_mapped_anew_each_time():
    assert keep_freed_memory()
    assert faults("given back") > 10 * faults("kept")


@pytest.mark.skipif(not GLIBC, reason="no glibc")
def test_gaps_between_what_is_kept_are_given_back():
    done = subprocess.run([sys.executable, "-c", GAPS], capture_output=True, text=True)
    assert int(done.stdout) > 50_000_000


def test_elsewhere_nothing_is_asked(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()
    assert not give_back_freed_memory()
