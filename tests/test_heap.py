"""Freed memory is kept where the C library can be told so."""

import platform
import subprocess
import sys

import pytest

from lensmill.heap import keep_freed_memory

GLIBC = platform.libc_ver()[0] == "glibc"
FAULTS = """
import resource, sys
import torch
from lensmill.heap import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def batch():
    return [torch.ones(3_000_000) for _ in range(4)]
batch()
before = faults()
for _ in range(10):
    batch()
print(faults() - before)
"""


def faults(how):
    """Pages that a process touched anew while it made and forgot ten batches of images."""
    done = subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True)
    return int(done.stdout)


@pytest.mark.skipif(not GLIBC, reason="no glibc")
def test_large_blocks_are_not_mapped_anew_each_time():
    assert keep_freed_memory()
    assert faults("given back") > faults("kept")


def test_elsewhere_nothing_is_asked(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()
