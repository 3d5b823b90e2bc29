"""A run on disk, its desk, and a client of its pages."""

from pathlib import Path

import pytest
from board_runs import HOME, TOKEN, write_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The run of `write_run`."""
    return write_run(tmp_path / "run")


@pytest.fixture
def desk(run):
    from lensmill.board.desk import Desk

    return Desk(run)


@pytest.fixture
def stranger(desk):
    """A client that does not know the token."""
    client = pytest.importorskip("starlette.testclient", reason="extra: board").TestClient
    from lensmill.board.app import create_app

    return client(create_app(desk, TOKEN), base_url=HOME, follow_redirects=False)


@pytest.fixture
def client(stranger):
    """A client that does."""
    stranger.headers["authorization"] = f"Bearer {TOKEN}"
    return stranger
