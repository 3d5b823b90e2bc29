"""Prefetch: the same things in the same order, one ahead, and errors where they are used."""

import threading
import time

import pytest

from lensmill.survey.prefetch import Clock, prefetched


def test_order_is_kept_and_one_is_made_ahead():
    made, second = [], threading.Event()

    def items():
        for number in range(4):
            made.append(number)
            if number == 1:
                second.set()
            yield number

    ahead = prefetched(items())
    assert next(ahead) == 0
    assert second.wait(10)
    assert list(ahead) == [1, 2, 3]
    assert made == [0, 1, 2, 3]


def test_an_error_comes_after_what_was_made_before_it():
    def items():
        yield 1
        raise ValueError("broken")

    ahead = prefetched(items())
    assert next(ahead) == 1
    with pytest.raises(ValueError, match="broken"):
        next(ahead)


def test_a_clock_adds_up():
    clock = Clock()
    for _ in range(2):
        with clock.step("read", 3):
            time.sleep(0.002)
    assert clock.images["read"] == 6
    assert clock.seconds["read"] >= 0.004
