"""Export: grades leave as CSV and Parquet, and return to the catalogue."""

import io

import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from board_runs import HOSTILE, row, write_part
from typer.testing import CliRunner

from lensmill.board.desk import open_folder
from lensmill.board.export import exported, into_catalogue
from lensmill.board.grades import Mark
from lensmill.cli import app
from lensmill.survey.catalogue import as_table, write_catalogue


@pytest.fixture
def graded(desk):
    """Three objects graded, one by two graders, and one twice; one of them with a hostile name."""
    keys = {row["id"]: row["key"] for row in desk.candidates.table.to_pylist()}
    said = [
        (keys["object 003"], "ana", 1, "grade", "A"),
        (keys["object 003"], "ben", 1, "grade", "C"),
        (keys["object 003"], "ana", 2, "grade", "B"),
        (keys[HOSTILE[0]], "ana", 1, "grade", "X"),
        (keys[HOSTILE[0]], "ana", 1, "note", 'a "quoted", note\nof two lines'),
        (keys["object 001"], "ana", 1, "grade", "B"),
        (keys["object 001"], "ana", 1, "grade", ""),
    ]
    for number, each in enumerate(said):
        desk.mark(Mark(str(number), *each))
    return desk


EXPECTED = {
    ("object 003", "ana", 1, "A", None),
    ("object 003", "ben", 1, "C", None),
    ("object 003", "ana", 2, "B", None),
    (HOSTILE[0], "ana", 1, "X", 'a "quoted", note\nof two lines'),
}


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_one_row_per_object_grader_and_round(graded, suffix):
    data = io.BytesIO(exported(graded.candidates, graded.grades, suffix))
    if suffix == ".parquet":
        table = pq.read_table(data)
    else:
        parse = pyarrow.csv.ParseOptions(newlines_in_values=True)
        convert = pyarrow.csv.ConvertOptions(strings_can_be_null=True)
        table = pyarrow.csv.read_csv(data, parse_options=parse, convert_options=convert)
    names = ("id", "grader", "round", "grade", "note")
    assert {tuple(row[n] for n in names) for row in table.to_pylist()} == EXPECTED
    assert table.column_names[:5] == ["id", "source", "ra", "dec", "p_lens"]


def test_another_suffix_names_the_choices(graded):
    with pytest.raises(ValueError, match=r"\.csv, \.parquet"):
        exported(graded.candidates, graded.grades, ".xlsx")


def test_grades_return_to_the_catalogue_as_often_as_one_likes(graded, run):
    parts = sorted((run / "parts").iterdir())
    catalogue = pyarrow.concat_tables([pq.read_table(path) for path in parts])
    write_catalogue(catalogue, run / "catalogue.parquet")
    for _ in range(2):
        assert into_catalogue(run, graded.grades) == 2
    table = pq.read_table(run / "catalogue.parquet")
    assert str(table.select(catalogue.column_names).to_pylist()) == str(catalogue.to_pylist())
    rows = {row["id"]: row for row in table.to_pylist()}
    three = rows["object 003"]
    assert (three["grade"], three["grade_mean"], three["graders"]) == ("B", 2.0, 2)
    assert rows[HOSTILE[0]]["notes"].startswith('ana: a "quoted"')
    assert (rows["object 001"]["grade"], rows["object 001"]["graders"]) == (None, 0)
    assert {path.name for path in run.glob(".*")} == set()


def test_the_second_of_the_same_has_its_own_grade_in_the_catalogue(tmp_path):
    """Wherever the first is: here in another part."""
    (tmp_path / "run.json").write_text("{}")
    rows = [row(1), row(2), {**row(1), "ra": 7.0}]
    write_part(tmp_path, 0, rows[:1])
    write_part(tmp_path, 1, rows[1:])
    write_catalogue(as_table(rows), tmp_path / "catalogue.parquet")
    candidates, grades = open_folder(tmp_path)
    grades.add(Mark("u", candidates.table["key"][2].as_py(), "ana", 1, "grade", "A"))
    assert into_catalogue(tmp_path, grades) == 1
    table = pq.read_table(tmp_path / "catalogue.parquet")
    assert table["grade"].to_pylist() == [None, None, "A"]


def test_a_run_without_a_catalogue_has_to_finish_first(graded, run):
    with pytest.raises(ValueError, match="not finished"):
        into_catalogue(run, graded.grades)


def test_the_command_line_exports(graded, run, tmp_path):
    out = tmp_path / "grades.parquet"
    done = CliRunner().invoke(app, ["board", str(run), "--export", str(out)])
    assert done.exit_code == 0, done.output
    assert pq.read_table(out).num_rows == 4
    done = CliRunner().invoke(app, ["board", str(run), "--into-catalogue"])
    assert done.exit_code == 1
    assert "not finished" in done.output
    assert CliRunner().invoke(app, ["board", str(tmp_path)]).exit_code == 1
    nowhere = tmp_path / "nowhere/grades.csv"
    done = CliRunner().invoke(app, ["board", str(run), "--export", str(nowhere)])
    assert done.exit_code == 1
    assert f"lensmill: {nowhere}: No such file" in done.output.replace("\n", "")
