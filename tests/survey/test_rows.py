"""Rows: what a catalogue says of what the stages wrote."""

import math

import pytest

from lensmill.survey.rows import doubts


@pytest.mark.parametrize(
    ("values", "flags"),
    [
        ({"p_lens": 0.3}, []),
        ({"p_lens": 0.3, "ood": 0.99}, []),
        ({"p_lens": 0.3, "ood": 0.995}, ["unlike_training"]),
        ({"p_lens": math.nan, "ood": 0.995}, ["unlike_training", "not_finite"]),
        ({"theta_E": math.inf}, ["not_finite"]),
    ],
)
def test_what_a_result_is_doubted_for(values, flags):
    assert doubts(values) == flags
