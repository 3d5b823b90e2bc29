"""docs/can-i-trust-the-uncertainties.md: its commands run, and its table is what was measured."""

import json
import re
import shlex
from importlib import resources
from pathlib import Path

import pytest
import torch
import trust
from typer.testing import CliRunner

from lensmill.cli import app
from lensmill.evaluation.modules import STAGES
from lensmill.stages.familiar import PARTS, UNLIKE
from lensmill.training.build import build_stage
from lensmill.training.checkpoint import save_stage
from lensmill.training.recipe import parse_recipe

TEXT = trust.PAGE.read_text(encoding="utf-8")
LINES = "".join(re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)).splitlines()
FIGURE = {"value": 0.68, "error": 0.012, "n": 9}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """RUN, with untrained weights, and RECIPE."""
    folder = tmp_path_factory.mktemp("trust")
    text = resources.files("lensmill.recipes").joinpath("smoke.toml").read_text(encoding="utf-8")
    (folder / "RECIPE").write_text(text, encoding="utf-8")
    recipe = parse_recipe(text)
    torch.manual_seed(0)
    for name in STAGES:
        stage = recipe.stages[name]
        save_stage(folder / "RUN" / f"{name}.safetensors", build_stage(stage), stage)
    return folder


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("lensmill")])
def test_the_commands_run(line, folder, monkeypatch):
    monkeypatch.chdir(folder)
    few = ["--count", "8", *(["--baseline", "0"] if " evaluate " in line else [])]
    result = CliRunner().invoke(app, [*shlex.split(line)[1:], *few])
    assert result.exit_code == 0, result.output
    assert Path("RUN/familiar.safetensors").is_file()


def test_the_scripts_are_there():
    scripts = [line.split()[1] for line in LINES if line.startswith("python")]
    assert len(scripts) == 2
    assert all((trust.ROOT / script).is_file() for script in scripts)


def test_the_parts_and_the_threshold_are_as_the_code_has_them():
    assert re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE) == list(PARTS)
    assert f"Above\n{UNLIKE} it" in TEXT


def test_a_table_of_what_was_measured():
    flagged = {f"ood_flagged_by_{part}": {**FIGURE, "value": 0.01} for part in PARTS}
    shifts = {
        "as_trained": {"accuracy": FIGURE, **flagged},
        "depth_0.3": {"accuracy": FIGURE, **flagged, "ood_flagged_by_light": FIGURE},
    }
    table = trust.block({"shifts": shifts, "count": 9, "command": "c", "commit": "d"})
    assert table.splitlines()[2:4] == [
        "| as trained | 0.68 ± 0.01 | nothing |",
        "| depth 0.3 | 0.68 ± 0.01 | light 68 % |",
    ]


def test_the_page_is_what_was_measured():
    measured = TEXT.split(trust.BEGIN)[1].split(trust.END)[0]
    if trust.RESULTS.is_file():
        assert measured == trust.block(json.loads(trust.RESULTS.read_text()))
    else:
        assert measured == "Not measured yet.\n"
