"""The pages on domain, thresholds and watching: their commands run, in order, on stamps."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lensmill.cli import app
from lensmill.simulation.population.priors import Priors
from lensmill.survey import chain, domain
from lensmill.survey.demo import write_stamps
from lensmill.survey.traits import traits
from lensmill.training import loop
from lensmill.training.loader import Loader
from lensmill.training.recipe import shipped_recipe

DOCS = Path(__file__).parents[2] / "docs"
PAGES = (
    "does-my-data-look-like-the-training-data",
    "which-threshold-should-i-use",
    "how-do-i-watch-a-folder",
)
WELL = Path(chain.FOLDER)
SHORTER = {
    "--count 96": "--count 32",
    "--count 2000": "--count 16 --recipe smoke --weights WEIGHTS",
    "--budget 60": "--budget 0.01",
    "--idle 60": "--idle 0.2",
    "doctor": f"doctor --weights {WELL}",
    "--out my-injections": "--out my-injections --injections 2",
}


def _text(page):
    return (DOCS / f"{page}.md").read_text(encoding="utf-8")


@pytest.fixture
def here(tmp_path, monkeypatch, write_weights):
    """The current folder: FOLDER of stamps, WEIGHTS that are taken for the shipped ones."""
    monkeypatch.chdir(tmp_path)
    write_weights(Path("WEIGHTS"))
    for module in (chain, domain):
        monkeypatch.setattr(module, "FOLDER", Path("WEIGHTS"))
    monkeypatch.setattr(loop, "VALIDATION_BATCHES", 1)
    loader = Loader.of(shipped_recipe("smoke").simulation, 6, "test")
    write_stamps(Path("FOLDER"), loader(0), loader.bands)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("page", PAGES)
def test_the_commands_run(page):
    for line in "".join(re.findall(r"```sh\n(.*?)```", _text(page), re.DOTALL)).splitlines():
        for long, short in SHORTER.items():
            line = line.replace(long, short)
        program, *arguments = shlex.split(line)
        if program == "cp":
            shutil.copytree(*arguments[1:])
            continue
        assert program == "lensmill"
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, f"{line}\n{result.output}"


def test_every_trait_is_on_the_page():
    loader = Loader.of(shipped_recipe("smoke").simulation, 2, "test")
    batch = dict(loader(0))
    names = traits({**batch, "p_lens": batch["is_lens"]}, ("g", "r", Priors().bands[-1]))
    for name in names:
        assert f"`{name}`" in _text(PAGES[0]) or name == "colour_r_i"
