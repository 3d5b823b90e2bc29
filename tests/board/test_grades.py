"""Grades: nothing said is lost, whoever says it at the same time, and whatever dies."""

import multiprocessing
import os
import signal
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from lensmill.board.grades import Grades, Mark

NUMBERS: Iterator[int] = count()


def mark(key="k", value="A", *, grader="ana", field="grade", round=1, uuid=None):
    return Mark(uuid or f"uuid {next(NUMBERS)}", key, grader, round, field, value)


@pytest.fixture
def grades(tmp_path):
    return Grades(tmp_path / "board" / "grades.sqlite")


def said(grades, **which):
    return {(m.key, m.grader, m.round, m.field): m.value for m in grades.marks(**which)}


def test_the_last_mark_of_a_grader_counts(grades):
    for value in ("A", "C", "B"):
        grades.add(mark(value=value))
    grades.add(mark(value="X", grader="ben"))
    grades.add(mark(value="faint", field="note"))
    assert said(grades) == {
        ("k", "ana", 1, "grade"): "B",
        ("k", "ben", 1, "grade"): "X",
        ("k", "ana", 1, "note"): "faint",
    }


def test_the_past_can_be_asked_for(grades):
    first = grades.add(mark(value="A"))
    grades.add(mark(value="B"))
    assert said(grades, until=first) == {("k", "ana", 1, "grade"): "A"}
    assert said(grades, until=0) == {}


def test_some_objects_alone(grades):
    for key in "abc":
        grades.add(mark(key))
    assert {m.key for m in grades.marks(keys=["a", "c", "z"])} == {"a", "c"}
    assert grades.marks(keys=[]) == []


def test_a_grade_taken_back_is_none(grades):
    grades.add(mark())
    assert (grades.count("ana"), grades.count("ben")) == (1, 0)
    grades.add(mark(value=""))
    assert said(grades) == {}
    assert grades.count("ana") == 0
    assert grades.graders() == ["ana"]


def test_a_mark_sent_twice_is_kept_once(grades):
    first = grades.add(mark(value="A", uuid="same"))
    grades.add(mark(value="B"))
    assert grades.add(mark(value="A", uuid="same")) == first + 1
    assert list(said(grades).values()) == ["B"]


def test_a_second_round_is_its_own(grades):
    grades.add(mark(value="A"))
    grades.add(mark(value="C", round=2))
    assert list(said(grades).values()) == ["A", "C"]
    assert grades.count("ana") == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"value": "D"}, "choices: A, B, C, X"),
        ({"field": "mood"}, "choices: grade, note"),
        ({"grader": " "}, "1 to 40"),
        ({"grader": "a" * 41}, "1 to 40"),
        ({"round": 3}, "1 or 2"),
        ({"field": "note", "value": "a" * 2001}, "at most 2000"),
        ({"uuid": "u" * 41}, "1 to 40"),
    ],
)
def test_nonsense_is_refused(grades, wrong, message):
    with pytest.raises(ValueError, match=message):
        grades.add(mark(**wrong))
    assert grades.revision() == 0


def test_a_file_that_is_no_database(tmp_path):
    (tmp_path / "grades.sqlite").write_text("A B C" * 1000)
    with pytest.raises(ValueError, match=r"grades\.sqlite"):
        Grades(tmp_path / "grades.sqlite")


def test_many_at_once(grades):
    """Two tabs, and more."""
    marks = [mark(f"k{number % 7}", grader=f"g{number % 5}") for number in range(70)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(grades.add, marks))
    assert grades.revision() == 70
    assert len(grades.marks()) == 35


def _write(path: Path, started) -> None:
    grades = Grades(path)
    for number in range(10_000):
        grades.add(mark(f"k{number}"))
        started.put(number)


def test_a_killed_writer_loses_nothing_it_was_told_is_kept(tmp_path):
    path, context = tmp_path / "grades.sqlite", multiprocessing.get_context("spawn")
    told = context.Queue()
    writer = context.Process(target=_write, args=(path, told))
    writer.start()
    last = max(told.get(timeout=120) for _ in range(20))
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    kept = {m.key for m in Grades(path).marks()}
    assert {f"k{number}" for number in range(last + 1)} <= kept
    Grades(path).add(mark("after"))
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
