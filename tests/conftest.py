"""Executed signatures, one thread, and the way to the reference renderer.

Every shape and type in a signature of lensmill is checked while the tests run. The machine's
cores are shared, so torch takes one.
"""

import sys
from pathlib import Path

import torch
from jaxtyping import install_import_hook

install_import_hook("lensmill", "checked.checked")
torch.set_num_threads(1)
# fine.py, peers.py and systems.py: the reference and the adaptors of other codes.
sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
