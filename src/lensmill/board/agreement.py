"""Agreement: what several graders say together, and how well they agree with themselves."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import pyarrow as pa

from lensmill.board.grades import GRADES, Mark

SCORES = dict(zip(GRADES, (3, 2, 1, 0), strict=True))
Given = Mapping[tuple[str, int], Mapping[str, str]]
"""{(grader, round): {key: grade}}"""


def consensus(grades: Iterable[str]) -> tuple[str, float]:
    """The grade of several, and the mean score it comes from: A 3, B 2, C 1, X 0.

    The mean is rounded, a half down: A above 2.5, B above 1.5, C above 0.5.
    """
    scores = [SCORES[grade] for grade in grades]
    mean = sum(scores) / len(scores)
    return next(grade for grade in GRADES if mean > SCORES[grade] - 0.5 or grade == "X"), mean


def grade_columns(marks: Iterable[Mark], keys: Sequence[str], grader: str) -> pa.Table:
    """What was said about each of the objects `keys`, as columns.

    `my_grade` and `my_note` are `grader`'s. `grade`, `grade_mean`, `graders` and `notes` are
    everyone's, from the first time each saw an object.
    """
    grades, notes = _first_round(marks)
    columns: dict[str, list[Any]] = {name: [None] * len(keys) for name in COLUMNS.names}
    columns["graders"] = [0] * len(keys)
    for row, key in enumerate(keys):
        if of := grades.get(key):
            columns["grade"][row], columns["grade_mean"][row] = consensus(of.values())
            columns["graders"][row] = len(of)
            columns["my_grade"][row] = of.get(grader)
        if said := notes.get(key):
            told = (f"{who}: {note}" for who, note in sorted(said.items()))
            columns["notes"][row] = "; ".join(told)
            columns["my_note"][row] = said.get(grader)
    return pa.table(columns, schema=COLUMNS)


def _column(name: str, kind: pa.DataType, meaning: str) -> pa.Field:
    return pa.field(name, kind, metadata={"unit": "", "description": meaning})


COLUMNS = pa.schema(
    [
        _column("my_grade", pa.string(), "your grade"),
        _column("my_note", pa.string(), "your note"),
        _column("grade", pa.string(), "grade of all graders together"),
        _column("grade_mean", pa.float32(), "mean over graders of A 3, B 2, C 1, X 0"),
        _column("graders", pa.int32(), "number of graders"),
        _column("notes", pa.string(), "notes of all graders"),
    ]
)

Said = dict[str, dict[str, str]]
"""{key: {grader: grade or note}}"""


def _first_round(marks: Iterable[Mark]) -> tuple[Said, Said]:
    """Grades and notes of the first time that each object was seen."""
    said: dict[str, Said] = {"grade": defaultdict(dict), "note": defaultdict(dict)}
    for mark in marks:
        if mark.round == 1:
            said[mark.field][mark.key][mark.grader] = mark.value
    return said["grade"], said["note"]


def summary(marks: Sequence[Mark]) -> dict[str, Any]:
    """Each grader's counts and consistency with herself, and the agreement of each two graders."""
    given: dict[tuple[str, int], dict[str, str]] = defaultdict(dict)
    for mark in marks:
        if mark.field == "grade":
            given[mark.grader, mark.round][mark.key] = mark.value
    names = sorted({grader for grader, _ in given})
    return {
        "graders": [_grader(given, name) for name in names],
        "pairs": [
            {
                "graders": [one, other],
                **agreement(given.get((one, 1), {}), given.get((other, 1), {})),
            }
            for one, other in combinations(names, 2)
        ],
    }


def _grader(given: Given, name: str) -> dict[str, Any]:
    first, second = given.get((name, 1), {}), given.get((name, 2), {})
    counts = {grade: list(first.values()).count(grade) for grade in GRADES}
    return {"grader": name, "graded": len(first), **counts, "repeats": agreement(first, second)}


def agreement(one: Mapping[str, str], other: Mapping[str, str]) -> dict[str, Any]:
    """Objects that both graded, the share given the same grade, and Cohen's κ (1960), weighted.

    κ = 1 − Σ d / Σ d expected by chance, with d the difference of the scores (Cohen 1968, linear
    weights): 1 is perfect, 0 what chance does. None where nothing can be said.
    """
    pairs = [(SCORES[one[key]], SCORES[other[key]]) for key in one.keys() & other.keys()]
    if not pairs:
        return {"objects": 0, "same": None, "kappa": None}
    apart = sum(abs(a - b) for a, b in pairs)
    ones, others = (Counter(scores) for scores in zip(*pairs, strict=True))
    by_chance = sum(abs(a - b) * ones[a] * others[b] for a in ones for b in others) / len(pairs)
    return {
        "objects": len(pairs),
        "same": sum(a == b for a, b in pairs) / len(pairs),
        "kappa": 1 - apart / by_chance if by_chance else None,
    }
