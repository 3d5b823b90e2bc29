"""Engines: whoever works, every piece is done, and the same catalogue comes out."""

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pieces
import pyarrow.parquet as pq
import pytest

from lensmill.survey import run as module
from lensmill.survey.engine import Engine, answers
from lensmill.survey.run import run


def test_this_process_does_one_piece_after_another():
    assert list(answers(pieces.square, range(5), Engine())) == [0, 1, 4, 9, 16]


def test_an_executor_of_ones_own():
    with ThreadPoolExecutor(2) as executor:
        assert sorted(answers(pieces.square, range(5), executor)) == [0, 1, 4, 9, 16]


def test_processes_that_die_are_replaced(tmp_path):
    work = partial(pieces.square_but_die_once, tmp_path)
    assert sorted(answers(work, range(5), Engine("local", 2))) == [0, 1, 4, 9, 16]
    assert (tmp_path / "died").exists()


def test_processes_that_die_again_and_again_are_an_error():
    with pytest.raises(ValueError, match="died 3 times in a row"):
        list(answers(pieces.die, range(2), Engine("local", 1)))


def test_what_the_work_raises_is_raised_here():
    for engine in (Engine(), Engine("local", 1)):
        with pytest.raises(ValueError, match="not 0"):
            list(answers(pieces.refuse, range(2), engine))


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"kind": "ray"}, "choices: process, local, dask"),
        ({"kind": "local", "scheduler": "tcp://127.0.0.1:1"}, "for the engine dask alone"),
        ({"workers": 4}, "for the engines local and dask"),
    ],
)
def test_engines_that_cannot_be(keywords, words):
    with pytest.raises(ValueError, match=words):
        Engine(**keywords)


@pytest.fixture
def whole(stamps, weights, tmp_path, monkeypatch):
    """The catalogue of a run in this process, of three partitions."""
    monkeypatch.setattr(module, "PART", 2)
    run(stamps, tmp_path / "whole", weights=weights)
    return pq.read_table(tmp_path / "whole/catalogue.parquet")


def test_local_processes_give_the_same_catalogue(stamps, weights, tmp_path, whole):
    run(stamps, tmp_path / "out", weights=weights, engine=Engine("local", 2))
    assert pq.read_table(tmp_path / "out/catalogue.parquet").equals(whole)


@pytest.fixture
def dask(tmp_path):
    """A Dask scheduler and a worker, each a process of its own: (address, the processes)."""
    pytest.importorskip("distributed")
    file = tmp_path / "scheduler.json"
    where = ["--scheduler-file", str(file), "--no-dashboard"]
    here = ["--host", "127.0.0.1"]
    worker = ["--nthreads", "1", "--no-nanny", "--local-directory", str(tmp_path)]
    processes = [
        _dask("scheduler", *where, *here, "--port", "0"),
        _dask("worker", *where, *here, *worker),
    ]
    for _ in range(1200):
        if file.is_file() and file.read_text():
            break
        time.sleep(0.1)
    yield json.loads(file.read_text())["address"], processes
    for process in processes:
        process.kill()
        process.wait()


def _dask(what, *arguments):
    command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *arguments]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_dask_gives_the_same_catalogue(stamps, weights, tmp_path, whole, dask):
    address, _ = dask
    run(stamps, tmp_path / "out", weights=weights, engine=Engine("dask", scheduler=address))
    assert pq.read_table(tmp_path / "out/catalogue.parquet").equals(whole)


def test_a_dask_scheduler_that_dies_is_an_error_and_the_run_goes_on(
    stamps, weights, tmp_path, whole, dask
):
    address, processes = dask
    engine = Engine("dask", scheduler=address)

    def kill(share, line):
        processes[0].kill()
        processes[0].wait()

    with pytest.raises(ValueError, match=r"scheduler is gone.*the same command goes on"):
        run(stamps, tmp_path / "out", weights=weights, engine=engine, report=kill)
    run(stamps, tmp_path / "out", weights=weights)
    assert pq.read_table(tmp_path / "out/catalogue.parquet").equals(whole)


def test_no_dask_scheduler_says_so():
    pytest.importorskip("distributed")
    with pytest.raises(ValueError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        list(answers(pieces.square, [1], Engine("dask", scheduler="tcp://127.0.0.1:9")))
