"""The shipped weights, each with its card."""

from pathlib import Path

FOLDER = Path(__file__).parent
"""Where the shipped weights lie."""
