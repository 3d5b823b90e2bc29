"""docs/how-do-i-search-for-better-networks.md: every block in it runs, with less of everything."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lensmill.cli import app
from lensmill.training import loop
from lensmill.training.search_space import SPACE

PAGE = Path(__file__).parents[1] / "docs/how-do-i-search-for-better-networks.md"
TEXT = PAGE.read_text(encoding="utf-8")
LESS = {"--count 2048": "--count 16", "--trials 20": "--trials 2"}
MINUTES = re.compile(r"--budget \d+")


def _blocks(kind):
    return re.findall(rf"```{kind}\n(.*?)```", TEXT, re.DOTALL)


def _commands():
    text = MINUTES.sub("--budget 0.002", "".join(_blocks("sh")))
    for much, less in LESS.items():
        assert much in text
        text = text.replace(much, less)
    return [line for line in text.splitlines() if line.startswith("lensmill")]


def test_the_commands_run(tmp_path, monkeypatch):
    pytest.importorskip("optuna")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loop, "VALIDATION_BATCHES", 1)
    for command in _commands():
        result = CliRunner().invoke(app, shlex.split(command)[1:])
        assert result.exit_code == 0, result.output
    table = re.findall(r"^\| `([\w.]+)` \|", TEXT, re.MULTILINE)
    assert {path.name for path in Path("SEARCH").iterdir()} == set(table)


def test_the_example_runs(capsys):
    (example,) = _blocks("python")
    exec(example, {})
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines} < SPACE.keys()
