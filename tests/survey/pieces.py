"""Work for workers: as small as can be, importable in their processes."""

import os
import signal
from pathlib import Path


def square(piece: int) -> int:
    return piece**2


def square_but_die_once(folder: Path, piece: int) -> int:
    """Of piece 2 the first worker dies."""
    if piece == 2 and not (folder / "died").exists():
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return piece**2


def die(piece: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return piece


def refuse(piece: int) -> int:
    raise ValueError(f"not {piece}")
