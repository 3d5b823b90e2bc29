"""Progress: how far, how fast, and what there is so far; and the counts of the whole."""

import time

import pytest

from lensmill.survey.progress import Progress, counted

LINES = [
    {
        "rows": 256,
        "likely": 3,
        "failed": {"not_fits": 2},
        "seconds": {"read": 2.0, "denoise": 4.0},
        "images": {"read": 256, "denoise": 254},
    },
    {
        "rows": 44,
        "likely": 1,
        "failed": {"all_nan": 1, "not_fits": 1},
        "seconds": {"read": 1.0, "denoise": 1.0},
        "images": {"read": 44, "denoise": 42},
    },
]


def test_the_rate_is_of_this_session_alone():
    progress = Progress(1000, began=time.perf_counter() - 4)
    progress.add(LINES[0], new=False)
    assert str(progress) == "256 of 1,000 objects, 0/s, 3 likely lenses"
    progress.add(LINES[1])
    assert str(progress) == "300 of 1,000 objects, 11/s, 64 s left, 4 likely lenses"
    assert progress.share == pytest.approx(0.3)


def test_counts_of_a_run():
    found = counted(LINES)
    assert found["objects"] == 300
    assert found["failed"] == 4
    assert found["reasons"] == {"all_nan": 1, "not_fits": 3}
    assert found["stages"]["denoise"] == {"images": 296, "seconds": 5.0, "images_per_s": 59.2}
