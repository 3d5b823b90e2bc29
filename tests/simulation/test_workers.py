"""Workers: every answer, an error as it is, and a process that dies is said, never waited for."""

import os
import signal

import pytest
import torch

from lensmill.simulation.workers import answers, one_thread


def square(number):
    return number, number**2, torch.get_num_threads()


def refuse(number):
    raise ValueError(f"no {number}")


def die(number):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("processes", [1, 2])
def test_every_number_is_answered_once_on_one_thread(processes):
    expected = [(number, number**2, 1) for number in range(7)]
    assert sorted(answers(square, range(7), processes)) == expected


@pytest.mark.parametrize("processes", [1, 2])
def test_an_error_is_raised_here(processes):
    with pytest.raises(ValueError, match="no 3"):
        list(answers(refuse, [3], processes))


def test_a_process_that_dies_is_said():
    with pytest.raises(ValueError, match=r"worker process died \(exit code -9.*same command"):
        list(answers(die, [3], 2))


def test_one_thread_is_given_back():
    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
