"""A Dask cluster of processes of its own, which can be killed one by one."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE = 1800.0
"""Seconds after which something hangs."""
WORKERS = 2


class Cluster:
    """A Dask scheduler and its workers, each a process of its own on loopback."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "scheduler.json"
        folder.mkdir()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def address(self) -> str:
        """Of a scheduler and workers that are there; those that died are started anew."""
        if not self._alive("scheduler"):
            self.close()
            self.file.unlink(missing_ok=True)
            self._start("scheduler", "--port", "0")
            until(lambda: self.file.is_file() and bool(self.file.read_text()))
        for number in range(WORKERS):
            if not self._alive(f"worker-{number}"):
                self._start(f"worker-{number}", "--nthreads", "1", "--no-nanny")
        return str(json.loads(self.file.read_text())["address"])

    def _alive(self, name: str) -> bool:
        return name in self.processes and self.processes[name].poll() is None

    def _start(self, name: str, *options: str) -> None:
        module = f"distributed.cli.dask_{name.split('-')[0]}"
        where = ["--scheduler-file", str(self.file), "--host", "127.0.0.1", "--no-dashboard"]
        local = [] if name == "scheduler" else ["--local-directory", str(self.folder)]
        command = [sys.executable, "-m", module, *where, *local, *options]
        quiet = subprocess.DEVNULL
        self.processes[name] = subprocess.Popen(command, stdout=quiet, stderr=quiet)

    def kill(self, name: str) -> None:
        """SIGKILL."""
        self.processes[name].kill()
        self.processes[name].wait()

    def close(self) -> None:
        """Nothing of it stays."""
        for process in self.processes.values():
            process.kill()
            process.wait()


def until(done: Callable[[], bool]) -> None:
    """Wait, though not for ever."""
    limit = time.perf_counter() + PATIENCE
    while not done():
        assert time.perf_counter() < limit, "it hangs"
        time.sleep(0.01)
