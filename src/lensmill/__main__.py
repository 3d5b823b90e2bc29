"""`python -m lensmill` is `lensmill`."""

from lensmill.cli import app

app()
