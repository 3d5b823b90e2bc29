"""Agreement: grades of several, and Cohen's κ against its own examples."""

import numpy as np
import pytest

from lensmill.board.agreement import SCORES, agreement, consensus, grade_columns, summary
from lensmill.board.grades import GRADES, Mark


@pytest.mark.parametrize(
    ("grades", "expected"),
    [
        ("A", ("A", 3.0)),
        ("AB", ("B", 2.5)),
        ("AAB", ("A", 8 / 3)),
        ("AX", ("C", 1.5)),
        ("CX", ("X", 0.5)),
        ("XX", ("X", 0.0)),
        ("ABCX", ("C", 1.5)),
    ],
)
def test_consensus_rounds_a_half_down(grades, expected):
    letter, mean = consensus(grades)
    assert (letter, mean) == (expected[0], pytest.approx(expected[1]))


def said(grades):
    """Grades of as many objects."""
    return {str(key): str(grade) for key, grade in enumerate(grades)}


def test_agreement_with_oneself_is_perfect_and_with_noise_is_chance():
    generator = np.random.default_rng(3)
    one, other = (said(generator.choice(GRADES, 4000)) for _ in range(2))
    assert agreement(one, one) == {"objects": 4000, "same": 1.0, "kappa": 1.0}
    chance = agreement(one, other)
    assert abs(chance["kappa"]) < 4 / 4000**0.5
    assert abs(chance["same"] - 0.25) < 4 * (0.25 * 0.75 / 4000) ** 0.5


def test_kappa_counts_how_far_apart_grades_are():
    one = said("AABBCCXX")
    near, far = said("ABBBCCXX"), said("AXBBCCXX")
    assert agreement(one, near)["same"] == agreement(one, far)["same"] == 7 / 8
    assert 1 > agreement(one, near)["kappa"] > agreement(one, far)["kappa"] > 0


def test_kappa_is_the_formula_of_cohen_1968():
    """1 − Σ w p_observed / Σ w p_expected over the table of grades, w = |i − j|."""
    one, other = said("AABBBCXXXA"), said("ABBBCCXXCC")
    table = np.zeros((4, 4))
    for key in one:
        table[SCORES[one[key]], SCORES[other[key]]] += 1 / len(one)
    weight = np.abs(np.subtract.outer(range(4), range(4)))
    by_chance = np.outer(table.sum(1), table.sum(0))
    expected = 1 - (weight * table).sum() / (weight * by_chance).sum()
    assert agreement(one, other)["kappa"] == pytest.approx(expected)


def test_nothing_can_be_said_of_nothing_in_common():
    assert agreement({"1": "A"}, {"2": "A"}) == {"objects": 0, "same": None, "kappa": None}
    assert agreement({"1": "A"}, {"1": "A"})["kappa"] is None


def marks(*said):
    return [Mark(str(n), *each) for n, each in enumerate(said)]


def test_columns_are_mine_and_everyones_from_the_first_time():
    table = grade_columns(
        marks(
            ("a", "ana", 1, "grade", "A"),
            ("a", "ben", 1, "grade", "B"),
            ("a", "ana", 2, "grade", "X"),
            ("b", "ben", 1, "note", "star?"),
            ("gone", "ana", 1, "grade", "A"),
        ),
        ["a", "b", "c"],
        "ana",
    ).to_pydict()
    assert table == {
        "my_grade": ["A", None, None],
        "my_note": [None, None, None],
        "grade": ["B", None, None],
        "grade_mean": [2.5, None, None],
        "graders": [2, 0, 0],
        "notes": [None, "ben: star?", None],
    }


def test_summary_counts_each_grader_and_each_pair():
    found = summary(
        marks(
            ("a", "ana", 1, "grade", "A"),
            ("b", "ana", 1, "grade", "C"),
            ("a", "ana", 2, "grade", "B"),
            ("a", "ben", 1, "grade", "A"),
        )
    )
    ana, ben = found["graders"]
    assert (ana["grader"], ana["graded"], ana["A"], ana["C"]) == ("ana", 2, 1, 1)
    assert ana["repeats"] == {"objects": 1, "same": 0.0, "kappa": 0.0}
    assert ben["repeats"]["objects"] == 0
    assert found["pairs"] == [{"graders": ["ana", "ben"], "objects": 1, "same": 1.0, "kappa": None}]
