"""docs/how-do-i-look-at-candidates.md: its filters filter, its keys are the board's."""

import re
from importlib import resources
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lensmill.board.agreement import COLUMNS, grade_columns
from lensmill.board.arrange import LAG
from lensmill.board.where import where
from lensmill.cli import app
from lensmill.survey.catalogue import SCHEMA

TEXT = (Path(__file__).parents[1] / "docs/how-do-i-look-at-candidates.md").read_text("utf-8")
BANDED = ("psf_fwhm_i", "sky_sigma_g")


def _blocks(kind):
    return re.findall(rf"```{kind}\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("line", _blocks("text")[0].splitlines())
def test_the_filters_filter(line):
    table = SCHEMA.empty_table()
    for name in BANDED:
        table = table.append_column(name, table["p_lens"])
    for field, column in zip(COLUMNS, grade_columns([], [], "").columns, strict=True):
        table = table.append_column(field, column)
    assert where(table, line).shape == (0,)


def test_the_keys_are_the_boards():
    script = (resources.files("lensmill.board") / "static" / "keys.js").read_text("utf-8")
    help_page = {does.split(";")[0] for _, does in re.findall(r'\["([^"]+)", "([^"]+)"\]', script)}
    told = re.findall(r"^\| [^|]+ \| ([^|]+) \|$", TEXT.split("## Filters")[0], re.MULTILINE)[1:]
    assert {re.split("[;:]", does)[0].strip() for does in told} == help_page
    assert f"{LAG} places later" in TEXT


def test_the_columns_are_the_boards():
    assert all(f"`{name}`" in TEXT for name in COLUMNS.names)


def test_the_options_are_the_commands():
    page = CliRunner().invoke(app, ["board", "--help"], env={"COLUMNS": "200"}).output
    for option in re.findall(r"lensmill board my-run (--[\w-]+)", TEXT):
        assert option in page
