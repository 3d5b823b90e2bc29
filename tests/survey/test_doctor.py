"""Doctor: all is well with the shipped weights, and what is not is said."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from lensmill.cli import app
from lensmill.survey.doctor import doctor
from lensmill.weights import FOLDER

NAMES = ["lensmill", "python", "packages", "device", "threads", "memory", "weights", "self-test"]


def test_the_shipped_weights_are_well():
    findings = list(doctor())
    assert [finding.name for finding in findings] == NAMES
    assert all(finding.well for finding in findings), findings
    assert "all finite" in findings[-1].seen


@pytest.fixture
def copied(tmp_path):
    """The shipped weights, to be broken."""
    for path in [*FOLDER.glob("*.safetensors"), *FOLDER.glob("*.json")]:
        shutil.copy(path, tmp_path)
    return tmp_path


def test_weights_that_are_not_those_of_their_card(copied):
    card = json.loads((copied / "classify.json").read_text())
    card["shipped"]["digest"] = "0" * 16
    (copied / "classify.json").write_text(json.dumps(card))
    findings = {finding.name: finding for finding in doctor(copied)}
    assert not findings["weights"].well
    assert "its card says 0000" in findings["weights"].seen
    assert findings["self-test"].well


def test_untrained_weights_fail_the_test_of_the_chain(weights):
    *others, last = doctor(weights)
    assert all(finding.well for finding in others)
    assert not last.well
    assert "dB" in last.seen or "not finite" in last.seen


def test_no_weights_are_exit_code_1_and_a_line(tmp_path):
    result = CliRunner().invoke(app, ["doctor", "--weights", str(tmp_path), "--device", "cpu"])
    assert result.exit_code == 1
    assert "NOT WELL  weights" in result.output
    assert "no weights in" in result.output
    assert "lensmill: not well" in result.output
    assert "Traceback" not in result.output
