"""docs/how-do-i-run-it-on-tiles.md: its commands are read, its flags are those of the code."""

import json
import re
import shlex
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lensmill.cli import app

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/how-do-i-run-it-on-tiles.md"
sys.path.insert(0, str(ROOT / "tests/survey"))

from tile_files import write_positions, write_rubin  # noqa: E402


def commands():
    block = re.search(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return [shlex.split(line)[1:] for line in block[1].splitlines()]


def test_the_first_command_describes_the_tile(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_rubin(tmp_path / "TILES")
    write_positions(tmp_path / "objects.csv", [(100, 100), (200, 150)])
    result = CliRunner().invoke(app, commands()[0])
    assert result.exit_code == 0, result.output
    assert "2 × tile, and the positions on it" in result.output
    assert "shape: 64×64 pixels" in result.output
    assert "noise map: found; PSF image: not found" in result.output


def test_the_second_command_has_no_unknown_option(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, commands()[1])
    assert result.exit_code == 1
    assert "no table objects.csv" in result.output


@pytest.mark.parametrize("cut", ["64,72,80", "wide", "8"])
def test_a_cut_that_is_none(tmp_path, cut):
    result = CliRunner().invoke(app, ["run", str(tmp_path), "--positions", "p.csv", "--cut", cut])
    assert result.exit_code == 1
    assert "pixels" in result.output or "numbers" in result.output


def test_every_flag_of_the_code_is_on_the_page():
    files = [*(ROOT / "src/lensmill/survey").glob("tile_*.py")]
    files += [ROOT / "src/lensmill/survey/masks.py"]
    text, pages = PAGE.read_text(), (ROOT / "docs/what-files-can-i-give-it.md").read_text()
    words = {
        word for file in files for word in re.findall(r'\("([a-z]+_[a-z_]+)"', file.read_text())
    }
    assert {"off_tile", "masked_centre"} <= {*re.findall(r"`([a-z_]+)`", text)}
    assert sorted(word for word in words if f"`{word}`" not in text + pages) == []


def test_its_figures_are_the_benchmarks():
    figures = json.loads((ROOT / "benchmarks/results/tile.json").read_text())
    plain, compressed = figures["plain"], figures["compressed"]
    assert plain["stamps"] == compressed["stamps"] == figures["positions"] == 2000
    memory = max(each["memory_beyond_imports_mb"] for each in (plain, compressed))
    for words in (
        f"take {plain['cpu_seconds']:.0f} seconds of one processor",
        f"({plain['positions_per_cpu_s']:.0f} positions a second)",
        f"{compressed['cpu_seconds']:.0f} where the tile is compressed",
        f"({compressed['positions_per_cpu_s']:.0f})",
        f"and {memory:.0f} MB",
    ):
        assert words in PAGE.read_text().replace("\n", " ")
