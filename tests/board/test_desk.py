"""Desk: lists, single objects and marks, over a run that may still grow."""

import json

import pytest
from board_runs import HOSTILE, failed, row, write_part, write_watched

from lensmill.board.arrange import Query
from lensmill.board.candidates import PRODUCT, Candidates, UnknownObjectError
from lensmill.board.desk import MOST, Desk
from lensmill.board.grades import Mark
from lensmill.survey.catalogue import as_table, write_catalogue

ANA = Query(grader="ana")


def ids(desk, query=ANA, offset=0, limit=MOST):
    return [each["id"] for each in desk.page(query, offset, limit)["objects"]]


def grade(desk, place, value, query=ANA, field="grade"):
    (shown,) = desk.page(query, place, 1)["objects"]
    uuid = f"{place} {value} {query.grader} {shown['round']}"
    desk.mark(Mark(uuid, shown["key"], query.grader, shown["round"], field, value))
    return shown["key"]


def test_pages_join_into_the_list(desk):
    whole = ids(desk)
    assert len(whole) == desk.page(ANA, 0, 0)["total"] == 47
    assert [
        name for start in range(0, 47, 10) for name in ids(desk, offset=start, limit=10)
    ] == whole
    assert whole[:2] == ["object 000", "object 001"]
    assert set(HOSTILE) < set(whole)
    assert ids(desk, offset=99) == []


def test_every_column_can_be_sorted_and_filtered_by(desk):
    for column in desk.columns():
        assert len(ids(desk, Query(sort=column["name"]))) == 47
        assert len(ids(desk, Query(where=f"{column['name']} is not none"))) <= 47
    names = {column["name"]: column for column in desk.columns()}
    assert names["theta_E"]["unit"] == "arcsec"
    assert names["psf_fwhm_i"]["unit"] == "arcsec"
    assert len(ids(desk, Query(where="psf_fwhm_i < 0.75 and sky_sigma_g = 1"))) == 45


def test_numbers_that_are_none_are_null(desk):
    shown = desk.page(ANA, 0, 1)["objects"][0]
    assert shown["source_snr"] is None
    assert shown["theta_E_84"] == 0.56
    json.dumps(desk.page(ANA, 0, 47), allow_nan=False)


def test_keys_are_the_same_for_ever_and_each_object_has_its_own(run, desk):
    assert len(set(desk.candidates.rows)) == 47
    assert Candidates(run).rows == desk.candidates.rows
    assert all(len(key) == 16 and key.isalnum() for key in desk.candidates.rows)


def test_a_finished_catalogue_alone_will_do(run, tmp_path):
    (tmp_path / "copy").mkdir()
    rows = [row(number) for number in range(40)]
    write_catalogue(as_table(rows), tmp_path / "copy" / "catalogue.parquet")
    copied, whole = Candidates(tmp_path / "copy").rows, Candidates(run).rows
    assert len(copied) == 40
    assert copied.items() <= whole.items()


def test_a_folder_without_a_run_is_refused_and_left_alone(tmp_path):
    with pytest.raises(ValueError, match="holds no run"):
        Desk(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_run_may_begin_with_nothing_and_grow(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"bands": ["g", "r", "i"], "entries": 9}))
    desk = Desk(tmp_path)
    assert desk.state()["rows"] == 0
    write_part(tmp_path, 1, [failed(3)])
    assert (desk.state()["rows"], desk.state()["finished"]) == (1, False)
    assert ids(desk) == ["bad 3"]
    write_part(tmp_path, 0, [row(1), row(2)])
    assert desk.state()["rows"] == 3
    assert ids(desk) == ["object 001", "object 002", "bad 3"]


def test_a_list_stands_still_while_the_run_grows_and_grades_come(run, desk):
    query = Query(where="my_grade is none", grader="ana")
    page = desk.page(query, 0, 5)
    pinned = Query(query.where, grader="ana", rows=page["rows"], revision=page["revision"])
    grade(desk, 0, "A", query)
    write_part(run, 2, [row(0, "new")])
    desk.state()
    assert ids(desk, pinned)[:2] == ["object 000", "object 001"]
    assert desk.page(pinned, 0, 1)["objects"][0]["my_grade"] == "A"
    assert ids(desk, query)[:2] == ["new", "object 001"]


def test_the_same_object_of_two_parts_is_two(tmp_path):
    """A long file that nobody can read is one row in each of its parts."""
    (tmp_path / "run.json").write_text(json.dumps({"bands": ["g", "r", "i"]}))
    write_part(tmp_path, 0, [row(1), failed(3)])
    desk = Desk(tmp_path)
    write_part(tmp_path, 1, [failed(3), row(2)])
    desk.state()
    assert ids(desk) == ["object 001", "object 002", "bad 3", "bad 3"]
    assert len(desk.candidates.rows) == 4
    assert Candidates(tmp_path).rows == desk.candidates.rows
    key = grade(desk, 3, "X")
    assert [each["my_grade"] for each in desk.page(ANA, 0, 4)["objects"]] == [None] * 3 + ["X"]
    assert desk.single(ANA, key, -1)["place"] == 3
    assert desk.next_ungraded(ANA, 2)["place"] == 2
    assert desk.next_ungraded(ANA, 3)["place"] == 0


def test_what_a_watch_has_read_again_is_one_object_with_its_grade(tmp_path):
    write_watched(tmp_path, 0, [row(1), row(2), failed(3)])
    desk = Desk(tmp_path)
    key = grade(desk, 1, "A")
    write_watched(tmp_path, 1, [{**row(2), "p_lens": 0.9}, row(4)])
    (shown,) = desk.page(Query("id = 'object 002'", grader="ana"), 0, MOST)["objects"]
    assert shown["p_lens"] == pytest.approx(1 / 3)
    state = desk.state("ana")
    assert (state["rows"], state["candidates"], state["graded"]) == (5, 4, 1)
    assert ids(desk) == ["object 002", "object 001", "object 004", "bad 3"]
    (shown,) = desk.page(Query("id = 'object 002'", grader="ana"), 0, MOST)["objects"]
    assert (shown["key"], shown["my_grade"], shown["p_lens"]) == (key, "A", 0.9)
    assert ids(Desk(tmp_path)) == ids(desk)
    assert Candidates(tmp_path).rows.keys() == desk.candidates.rows.keys()
    assert Candidates(tmp_path).table[PRODUCT].to_pylist()[2] == "00001_00000_"


def test_a_list_stands_still_while_a_watch_reads_again(tmp_path):
    write_watched(tmp_path, 0, [row(1), row(2), row(3)])
    desk = Desk(tmp_path)
    page = desk.page(ANA, 0, MOST)
    pinned = Query(grader="ana", rows=page["rows"], revision=page["revision"])
    write_watched(tmp_path, 1, [{**row(2), "p_lens": 0.01}])
    desk.state()
    assert ids(desk, pinned) == ["object 001", "object 002", "object 003"]
    assert ids(desk) == ["object 001", "object 003", "object 002"]
    key = page["objects"][1]["key"]
    found = desk.single(pinned, key, 1)
    assert (found["place"], found["object"]["p_lens"]) == (1, 0.01)
    for place in range(3):
        grade(desk, place, "B", pinned)
    assert desk.next_ungraded(pinned, 0)["place"] is None


def test_a_part_that_its_watch_has_not_told_of_waits(tmp_path):
    """Killed before the line, it makes the part again, of what is there then."""
    write_watched(tmp_path, 0, [row(1)])
    desk = Desk(tmp_path)
    write_part(tmp_path, 1, [row(2)])
    lines = tmp_path / "watched.jsonl"
    half = lines.read_text() + '{"file'
    lines.write_text(half)
    assert desk.state()["rows"] == 1
    assert lines.read_text() == half
    lines.write_text(half.removesuffix('{"file'))
    write_watched(tmp_path, 1, [row(3)])
    assert desk.state()["rows"] == 2
    assert ids(desk) == ["object 001", "object 003"]


def test_grades_are_mine_and_everyones(desk):
    ben = Query(grader="ben")
    grade(desk, 0, "A")
    grade(desk, 0, "B", ben)
    grade(desk, 1, "arc?", field="note")
    first, second = desk.page(ANA, 0, 2)["objects"]
    assert (first["my_grade"], first["grade"], first["grade_mean"], first["graders"]) == (
        "A",
        "B",
        2.5,
        2,
    )
    assert (second["my_note"], second["notes"], second["my_grade"]) == ("arc?", "ana: arc?", None)
    assert ids(desk, Query("my_grade = A", grader="ana")) == ["object 000"]
    assert ids(desk, Query("my_grade = A", grader="ben")) == []
    assert ids(desk, Query("notes contains ARC", grader="ben")) == ["object 001"]
    state = desk.state("ana")
    assert (state["graded"], state["graders"]) == (1, ["ana", "ben"])


def test_a_repeat_does_not_know_the_first_grade(desk):
    twice = Query(grader="ana", repeats=100, where="p_lens > 0.1")
    count = desk.page(twice, 0, 0)["total"] // 2
    key = grade(desk, 0, "A", twice)
    again = desk.page(twice, count, 1)["objects"][0]
    assert (again["key"], again["round"]) == (key, 2)
    assert {again[n] for n in ("my_grade", "my_note", "grade", "grade_mean", "graders")} == {None}
    assert desk.single(twice, key, count)["object"]["my_grade"] is None
    grade(desk, count, "B", twice)
    shown = desk.page(twice, 0, count + 1)["objects"]
    assert (shown[0]["my_grade"], shown[count]["my_grade"]) == ("A", "B")
    assert desk.summary()["graders"][0]["repeats"]["objects"] == 1


def test_the_next_ungraded_goes_round(desk):
    few = Query(grader="ana", where="p_lens > 0.21")
    assert desk.next_ungraded(few, 0) == {"total": 4, "place": 0}
    grade(desk, 0, "A", few)
    grade(desk, 1, "C", few)
    assert desk.next_ungraded(few, 0)["place"] == 2
    grade(desk, 3, "X", few)
    assert desk.next_ungraded(few, 3)["place"] == 2
    grade(desk, 2, "X", few)
    assert desk.next_ungraded(few, 0)["place"] is None
    assert desk.next_ungraded(Query("p_lens > 5"), 0) == {"total": 0, "place": None}


def test_one_object_has_its_place_curves_and_shape(desk):
    key = desk.page(ANA, 1, 1)["objects"][0]["key"]
    found = desk.single(ANA, key, 5)
    assert (found["place"], found["total"], found["shape"]) == (1, 47, (31, 37))
    assert len(found["curves"]["median"]) == len(found["curves"]["inner"])
    assert desk.single(Query("p_lens < 0.1"), key, 0)["place"] is None
    bad = desk.page(Query("reason is not none"), 0, 1)["objects"][0]["key"]
    assert desk.single(ANA, bad, 0)["curves"] is None


def test_an_unknown_object(desk):
    with pytest.raises(UnknownObjectError):
        desk.single(ANA, "nonsense", 0)
    with pytest.raises(UnknownObjectError):
        desk.mark(Mark("u", "nonsense", "ana", 1, "grade", "A"))
    assert desk.grades.revision() == 0
