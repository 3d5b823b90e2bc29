"""Serve: the board of a run on this machine, until it is stopped."""

import socket
from collections.abc import Callable
from pathlib import Path

LOOPBACK_ADDRESSES = ("127.0.0.1", "localhost", "::1")
EXTRA = "the board needs Starlette and uvicorn: pip install 'lensmill[board]'"


def open_board(
    run: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8765,
    announce: Callable[[str], None] = lambda address: None,
) -> None:
    """Serve the board of the folder `run`; `announce` gets the address to open in a browser.

    Grades are kept in `run/board/grades.sqlite`, the token of the address in `run/board/token`.
    Port 0: any free one. ValueError where there is no run, no Starlette, or the port is taken.
    """
    try:
        import uvicorn

        from lensmill.board.app import create_app
        from lensmill.board.desk import FOLDER, Desk
        from lensmill.board.guard import LOOPBACK, keep_token
    except ImportError:
        raise ValueError(EXTRA) from None
    hosts = LOOPBACK if host in LOOPBACK_ADDRESSES else ()
    desk, token = Desk(run), keep_token(run / FOLDER / "token")
    with _listening(host, port) as listening:
        name = f"[{host}]" if ":" in host else host
        announce(f"http://{name}:{listening.getsockname()[1]}/objects?token={token}")
        # No access log: the first request has the token in it.
        config = uvicorn.Config(
            create_app(desk, token, hosts),
            log_level="warning",
            access_log=False,
            server_header=False,
        )
        uvicorn.Server(config).run(sockets=[listening])


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ValueError(f"cannot listen at {host}, port {port}: {error.strerror}") from None
