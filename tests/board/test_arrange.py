"""Arrange: filtered, sorted, and some objects again."""

import numpy as np
import pyarrow as pa
import pytest

from lensmill.board.arrange import LAG, Query, arrange

COUNT = 1000
TABLE = pa.table(
    {
        "key": [f"{number:016x}" for number in range(COUNT)],
        "p_lens": [None if number % 10 == 0 else number / COUNT for number in range(COUNT)],
    }
)


def test_the_largest_first_and_nothing_last():
    rows = arrange(TABLE, Query()).rows
    assert rows[:3].tolist() == [999, 998, 997]
    assert (rows[-100:] % 10 == 0).all()
    assert arrange(TABLE, Query(sort="p_lens")).rows[:2].tolist() == [1, 2]
    assert arrange(TABLE, Query(sort="")).rows.tolist() == list(range(COUNT))


def test_an_unknown_column_is_named():
    with pytest.raises(ValueError, match="did you mean 'p_lens'"):
        arrange(TABLE, Query(sort="-p_len"))


def test_nothing_comes_again_unless_asked():
    arranged = arrange(TABLE, Query(where="p_lens > 0.5"))
    assert len(set(arranged.rows.tolist())) == len(arranged.rows)
    assert (arranged.rounds == 1).all()


def test_repeats_come_once_and_late():
    arranged = arrange(TABLE, Query(repeats=10, grader="ana"))
    again = arranged.rows[arranged.rounds == 2]
    assert 60 < len(again) < 140
    assert len(set(again.tolist())) == len(again)
    for row in again[:-5]:
        first, second = np.flatnonzero(arranged.rows == row)
        assert LAG < second - first <= 2 * LAG
    assert sorted(arranged.rows[arranged.rounds == 1].tolist()) == list(range(COUNT))


def test_each_grader_has_repeats_of_her_own_and_always_the_same():
    ana, ben, ana_again = (
        arrange(TABLE, Query(repeats=10, grader=name)).rows.tolist()
        for name in ("ana", "ben", "ana")
    )
    assert ana == ana_again
    assert ana != ben


def test_a_short_list_repeats_at_its_end():
    arranged = arrange(TABLE.slice(0, 5), Query(sort="", repeats=100))
    assert arranged.rows.tolist() == [0, 1, 2, 3, 4] * 2
    assert arranged.rounds.tolist() == [1] * 5 + [2] * 5
