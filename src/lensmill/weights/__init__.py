"""The shipped weights, each with its card."""

from pathlib import Path

FOLDER = Path(__file__).parent
"""Where the shipped weights for survey images lie."""
COMPACT = FOLDER / "compact"
"""Where those for the paper's images lie."""
