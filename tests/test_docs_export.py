"""docs/how-do-i-hand-it-over.md: its commands run, and its SQL answers."""

import json
import re
import shlex
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from lensmill.cli import app
from lensmill.grid import Grid
from lensmill.physics.surveys import LSST_10YEAR
from lensmill.simulation.grids import Grids
from lensmill.simulation.observing import Observing
from lensmill.simulation.population.priors import Priors
from lensmill.simulation.simulate import simulate
from lensmill.simulation.simulator import Simulator
from lensmill.survey.catalogue import as_table, write_catalogue
from lensmill.survey.demo import write_stamps
from lensmill.survey.export import FORMATS

PAGE = Path(__file__).parents[1] / "docs/how-do-i-hand-it-over.md"
TEXT = PAGE.read_text()
ROW = {
    "ra": 150.0,
    "dec": 2.2,
    "p_lens": 0.95,
    "theta_E": 1.2,
    "theta_E_16": 1.15,
    "theta_E_84": 1.25,
    "e1": 0.1,
    "e1_error": 0.02,
    "e2": 0.05,
    "e2_error": 0.02,
    "q": 0.8,
    "q_16": 0.77,
    "q_84": 0.83,
    "position_angle_deg": 10.0,
    "position_angle_error_deg": 4.0,
    "pixel_scale": 0.2,
    "psf_fwhm": [0.9, 0.8, 0.7],
    "sky_sigma": [1.0, 2.0, 3.0],
    "flags": "psf_given;psf_assumed",
}


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def commands():
    lines = "\n".join(blocks("sh")).splitlines()
    return [line for line in lines if line.startswith("lensmill ")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """my-run, FOLDER and DATA as the page names them."""
    folder = tmp_path_factory.mktemp("handover")
    simulator = Simulator(Priors(), Observing(LSST_10YEAR), Grid((33, 36), 0.2))
    grids = Grids((33, 36), (33, 36), (0.2, 0.2))
    simulate(simulator, grids, folder / "DATA", seed=3, count=3, shard=4)
    batch = simulator(3, torch.arange(2))
    write_stamps(folder / "FOLDER", batch, ("g", "r", "i"))
    for number in range(2):
        (folder / f"FOLDER/demo_{number:03d}.fits").rename(folder / f"FOLDER/J0{number + 1}.fits")
    (folder / "my-run").mkdir()
    rows = [{**ROW, "id": "J01", "source": "J01.fits"}]
    rows += [{**ROW, "id": "J02", "source": "J02.fits", "theta_E": 1.4, "flags": "psf_given"}]
    write_catalogue(as_table(rows), folder / "my-run/catalogue.parquet")
    (folder / "my-run/run.json").write_text(json.dumps({"bands": ["g", "r", "i"]}))
    return folder


@pytest.mark.filterwarnings("ignore")  # lsdb's
@pytest.mark.parametrize("command", commands())
def test_commands(folder, monkeypatch, command):
    if "hats" in command:
        pytest.importorskip("lsdb")
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(app, shlex.split(command, comments=True)[1:])
    assert done.exit_code == 0, done.output
    assert re.search(r"[23] objects in", done.output)


def test_every_format_is_on_the_page():
    assert [to for to in FORMATS if f"`{to}`" not in TEXT] == []


def test_the_fit_reads_what_the_page_says(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert CliRunner().invoke(app, ["export", "my-run", "--to", "lenstronomy"]).exit_code == 0
    lines = "\n".join(blocks("sh")).splitlines()
    (line,) = [line for line in lines if line.startswith("python fit.py")]
    assert (folder / "my-run-lenstronomy" / line.split()[2]).is_file()


def test_sql(folder, monkeypatch):
    duckdb = pytest.importorskip("duckdb")
    monkeypatch.chdir(folder)
    if not Path("DATA-mmu").is_dir():
        assert CliRunner().invoke(app, ["export", "DATA", "--to", "mmu"]).exit_code == 0
    large, flags, peaks = (duckdb.connect().execute(query).fetchall() for query in blocks("sql"))
    assert [row[0] for row in large] == ["J02", "J01"]
    assert flags == [("psf_given", 2), ("psf_assumed", 1)]
    assert len(peaks) == 9
    assert {row[1] for row in peaks} == {"g", "r", "i"}
