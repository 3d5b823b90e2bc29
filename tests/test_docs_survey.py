"""docs/how-do-i-run-a-survey.md: its commands are commands, and its Python runs."""

import re
import shlex
from pathlib import Path

import torch
from typer.main import get_command

from lensmill.cli import app
from lensmill.grid import Grid
from lensmill.physics.surveys import LSST_10YEAR
from lensmill.simulation.observing import Observing
from lensmill.simulation.population.priors import Priors
from lensmill.simulation.simulator import Simulator
from lensmill.survey.agreement import TOLERANCE
from lensmill.survey.demo import write_stamps
from lensmill.survey.inference import NOT_MODELLED

DOCS = Path(__file__).parents[1] / "docs"
TEXT = (DOCS / "how-do-i-run-a-survey.md").read_text(encoding="utf-8")


def _blocks(kind):
    return re.findall(rf"```{kind}\n(.*?)```", TEXT, re.DOTALL)


def test_its_commands_are_commands():
    lines = [line for block in _blocks("sh") for line in block.splitlines() if line]
    for line in lines:
        name, verb, *arguments = shlex.split(line, comments=True)
        assert name == "lensmill"
        command = get_command(app).commands[verb]
        assert command.make_context(verb, arguments).params["folder"] == Path("FOLDER")
    assert len(lines) == 7


def test_its_python_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    simulator = Simulator(Priors(), Observing(LSST_10YEAR), Grid((37, 41), 0.2))
    write_stamps(Path("FOLDER"), simulator(5, torch.arange(2)), ("g", "r", "i"))
    (source,) = _blocks("python")
    exec(source, {})
    assert capsys.readouterr().out.startswith("2 ")


def test_it_states_the_tolerance_of_bf16():
    assert TOLERANCE == {"image": 0.1, "p_lens": 0.02, "theta_E": 0.02, "ellipticity": 0.02}
    for words in ("within 0.1 of the sky's noise", "within 0.02, θ_E within 2 %"):
        assert words in TEXT.replace("\n", " ")
    assert f"`{NOT_MODELLED}`" in TEXT
    assert f"`{NOT_MODELLED}`" in (DOCS / "what-do-the-columns-mean.md").read_text(encoding="utf-8")
