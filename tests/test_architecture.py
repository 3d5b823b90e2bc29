"""The house stands as drawn: imports point down, files stay short, the front door is light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "lensmill"
FILES = sorted(SOURCE.rglob("*.py"))
STOREYS = (
    {"testing", "__main__"},
    {"cli"},
    {"board"},
    {"survey"},
    {"evaluation"},
    {"training"},
    {"simulation", "stages"},
    {"physics", "networks"},
    {"quantities", "units", "grid", "heap", "provenance", "weights", "recipes", "lensmill"},
)
"""From the top. Wings beside each other never meet, but for the ground floor."""
GROUND = STOREYS[-1]
LONGEST = 300


def _wing(module):
    """lensmill.physics.lens -> physics; lensmill -> lensmill."""
    return module.split(".")[1] if "." in module else module


def _imports(source):
    """Every module that a source text imports, wherever the import stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            if node.module == "lensmill":
                names = (alias.name for alias in node.names)
                yield from (f"lensmill.{name}" if _is_wing(name) else "lensmill" for name in names)
            else:
                yield node.module


def _is_wing(name):
    return any(name in storey for storey in STOREYS)


def _storey(wing):
    (number,) = (n for n, storey in enumerate(STOREYS) if wing in storey)
    return number


def _may(wing, other):
    """May `wing` import `other`?"""
    if wing == other or {wing, other} <= GROUND:
        return True
    return wing != "networks" and _storey(wing) < _storey(other)


def _violations(source, wing):
    ours = {name for name in _imports(source) if name.split(".")[0] == "lensmill"}
    return sorted(name for name in ours if not _may(wing, _wing(name)))


def _wing_of_file(path):
    return path.relative_to(SOURCE).parts[0].removesuffix(".py").replace("__init__", "lensmill")


def _offenders(offences):
    """{file: what is wrong with it}, of files with anything wrong."""
    found = {str(path.relative_to(SOURCE)): offences(path) for path in FILES}
    return {path: wrong for path, wrong in found.items() if wrong}


def test_imports_point_down():
    assert _offenders(lambda path: _violations(path.read_text(), _wing_of_file(path))) == {}


@pytest.mark.parametrize(
    ("wing", "source"),
    [
        ("networks", "from lensmill.grid import Grid"),
        ("networks", "from lensmill.quantities import NOISY"),
        ("stages", "import lensmill.simulation.scene"),
        ("simulation", "def f():\n    from lensmill.stages.base import Stage"),
        ("physics", "from lensmill.networks import unet"),
        ("evaluation", "from lensmill.survey.run import run"),
        ("training", "from lensmill import evaluation"),
        ("grid", "from lensmill.physics.lens import sie_deflection"),
        ("survey", "from lensmill.testing import check_stage"),
        ("board", "from lensmill.cli import app"),
    ],
)
def test_an_import_that_points_up_is_seen(wing, source):
    assert len(_violations(source, wing)) == 1


@pytest.mark.parametrize(
    ("wing", "source"),
    [
        ("networks", "from lensmill.networks.blocks import Stem\nimport torch"),
        ("provenance", "from lensmill import __version__"),
        ("survey", "from lensmill.weights import FOLDER"),
        ("cli", "from lensmill.board.app import serve"),
    ],
)
def test_an_import_that_points_down_is_allowed(wing, source):
    assert _violations(source, wing) == []


def test_only_the_command_line_knows_its_library():
    def libraries(path):
        foreign = {name.split(".")[0] for name in _imports(path.read_text())}
        return foreign & {"typer", "rich", "click"}

    assert {path.split("/")[0] for path in _offenders(libraries)} == {"cli"}


def test_the_library_is_silent_and_reads_no_environment():
    def words(path):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        names = {node.id for node in nodes if isinstance(node, ast.Name)}
        attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        return names & {"print"} | attributes & {"environ", "getenv"}

    assert _offenders(words) == {}


def test_files_are_short():
    lines = {str(path.relative_to(SOURCE)): len(path.read_text().splitlines()) for path in FILES}
    assert {path: count for path, count in lines.items() if count > LONGEST} == {}


def test_files_say_what_they_are():
    assert _offenders(lambda path: not ast.get_docstring(ast.parse(path.read_text()))) == {}


@pytest.mark.parametrize(
    "arguments",
    [None, ["--help"], ["train", "--help"], ["run", "--help"]],
    ids=["import lensmill", "--help", "train --help", "run --help"],
)
def test_the_front_door_is_light(arguments):
    """Neither `import lensmill` nor a page of help waits for torch."""
    call = f"from lensmill.cli import app; app({arguments}, standalone_mode=False); "
    code = f"import lensmill, sys; {call if arguments else ''}sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
