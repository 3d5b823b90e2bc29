"""Export: the right candidates, in files named harmlessly, and every mistake named."""

import json
from pathlib import Path

import pytest
from astropy.io import fits
from astropy.io.votable import parse_single_table
from astropy.table import Table
from typer.testing import CliRunner

import lensmill
from lensmill.cli import app
from lensmill.survey.candidates import candidates, finished_run
from lensmill.survey.catalogue import as_table
from lensmill.survey.export import FORMATS, PER_CANDIDATE, export


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.json"))


def ucds(path: Path) -> list[str]:
    """Of the columns, in order."""
    if path.suffix == ".vot":
        return [str(field.ucd) for field in parse_single_table(path).fields]
    header = fits.getheader(path, 1)
    return [header.get(f"TUCD{n}") for n in range(1, header["TFIELDS"] + 1)]


def test_candidates_are_modelled_likely_and_sorted(finished):
    table = finished_run(finished).table
    assert [row["id"] for row in candidates(table, 0.5)] == ["J01/<a>"]
    assert [row["id"] for row in candidates(table, 0.0)] == ["J01/<a>", "J02"]
    assert [row["id"] for row in candidates(table, 0.5, ["J02"])] == ["J02"]


def test_what_is_not_finite_is_no_candidate(candidate_rows):
    table = as_table([{**candidate_rows[0], "e2_error": float("nan")}, candidate_rows[1]])
    assert [row["id"] for row in candidates(table, 0.0)] == ["J01/<a>"]


@pytest.mark.parametrize("name", ["broken", "J99"])
def test_an_id_without_a_model_is_named(finished, name):
    with pytest.raises(ValueError, match=f"no mass model of {name}"):
        candidates(finished_run(finished).table, 0.5, ["J02", name])


@pytest.mark.parametrize("to", list(PER_CANDIDATE))
def test_one_json_per_candidate(finished, tmp_path, to):
    done = export(finished, tmp_path / "out", to, p_lens=0.0)
    assert done.objects == 2
    assert names(tmp_path / "out") == ["00000_J01_a.json", "00001_J02.json"]
    assert "J01/<a>" in (tmp_path / "out" / "00000_J01_a.json").read_text()


def test_the_script_comes_with_lenstronomys_starts(finished, tmp_path):
    export(finished, tmp_path / "out", "lenstronomy")
    text = (tmp_path / "out" / "fit.py").read_text()
    compile(text, "fit.py", "exec")
    assert "import lensmill" not in text


@pytest.mark.parametrize("to", list(PER_CANDIDATE))
def test_weaker_candidates_of_an_earlier_export_do_not_stay(finished, tmp_path, to):
    """Refused; the same again, or more, is not, nor is what a fit left."""
    out = tmp_path / "out"
    export(finished, out, to)
    (out / "00000_J01_a_fit.json").write_text("{}")
    export(finished, out, to, p_lens=0.0)
    export(finished, out, to, p_lens=0.0)
    with pytest.raises(ValueError, match=r"would keep 00001_J02\.json .* \(1 such"):
        export(finished, out, to, p_lens=0.5)
    assert len(names(out)) == 3


@pytest.mark.parametrize("to", ["votable", "fits"])
def test_tables_have_units_and_ucds(finished, tmp_path, to):
    done = export(finished, tmp_path / "out", to)
    table = Table.read(done.path)
    assert len(table) == done.objects == 3
    assert str(table["theta_E"].unit) == "arcsec"
    assert set(ucds(done.path)) >= {"phys.angSize", "stat.probability", "pos.eq.ra;meta.main"}


def test_mistakes_are_named(finished, tmp_path):
    with pytest.raises(ValueError, match="choices: coolest, lenstronomy"):
        export(finished, tmp_path / "out", "json")
    with pytest.raises(ValueError, match="holds no finished run"):
        export(tmp_path / "nothing", tmp_path / "out", "coolest")
    with pytest.raises(ValueError, match="give the stamps"):
        export(finished, tmp_path / "out", "mmu")


def test_the_command_line(finished, tmp_path):
    command = ["export", str(finished), "--to", "coolest", "--p-lens", "0.05"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "2 objects" in done.output
    assert len(names(finished.with_name("run-coolest"))) == 2
    wrong = CliRunner().invoke(app, ["export", str(finished), "--to", "xml"])
    assert wrong.exit_code == 1
    assert ", ".join(FORMATS) in wrong.output
    assert callable(lensmill.export)


def test_a_start_is_json_without_surprises(finished, tmp_path):
    """No NaN, which JSON has not."""
    for to in PER_CANDIDATE:
        export(finished, tmp_path / to, to)
        for path in (tmp_path / to).glob("*.json"):
            json.loads(path.read_text(), parse_constant=pytest.fail)
