"""Where: a filter keeps what it says, and a wrong one says what is wrong."""

import numpy as np
import pyarrow as pa
import pytest

from lensmill.board.where import where

TABLE = pa.table(
    {
        "id": ["one", "two words", "Three", None, "and"],
        "p_lens": pa.array([0.1, 0.95, float("nan"), None, 0.5], pa.float32()),
        "graders": pa.array([0, 1, 2, 3, 4], pa.int32()),
    }
)


def kept(text):
    return np.flatnonzero(where(TABLE, text)).tolist()


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", [0, 1, 2, 3, 4]),
        ("p_lens > 0.4", [1, 4]),
        ("p_lens>=0.5 and graders<=2", [1]),
        ("p_lens < 0.2 or graders = 3", [0, 3]),
        ("graders != 2 and (p_lens < 0.2 or graders >= 3)", [0, 3, 4]),
        ("p_lens < 0.2 or graders = 3 and graders = 4", [0]),
        ("not p_lens > 0.4", [0, 2, 3]),
        ("NOT (graders > 0.5)", [0]),
        ("p_lens is none", [2, 3]),
        ("p_lens is not none and id contains E", [0]),
        ("id = 'two words'", [1]),
        ('id contains "WO"', [1]),
        ("id is none", [3]),
        ("id = 'and'", [4]),
        ("graders > -1e0", [0, 1, 2, 3, 4]),
        ("id contains .*", []),
    ],
)
def test_a_filter_keeps_what_it_says(text, rows):
    assert kept(text) == rows


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("p_lenz > 0.4", "did you mean 'p_lens'"),
        ("zzz > 0.4", "choices: id, p_lens, graders"),
        ("p_lens >", "a value is missing"),
        ("p_lens", "a comparison is missing"),
        ("p_lens like 3", "no comparison 'like'; choices: = != <"),
        ("p_lens > high", "'high' is no number"),
        ("p_lens contains 3", "is for text"),
        ("p_lens > 0.4 graders > 2", "'and' or 'or' is missing before 'graders'"),
        ("(p_lens > 0.4", r"a '\)' is missing"),
        ("p_lens > 0.4)", "missing before"),
        ("p_lens is lost", "'none' or 'not none'"),
        ("and", "no column 'and'"),
        ("not", "a column is missing"),
        ("id = 'open", "cannot read"),
        ("__import__('os').system('true')", "no column"),
        ("(" * 5000, "at most 200"),
        ("not " * 199 + "p_lens", "a comparison is missing"),
    ],
)
def test_a_wrong_filter_says_what_is_wrong(text, message):
    with pytest.raises(ValueError, match=message):
        where(TABLE, text)
