"""Streams: no two users of random numbers share one."""

import ast
import importlib
import pkgutil
from collections import defaultdict
from pathlib import Path

import pytest

import lensmill.simulation
from lensmill.simulation.population import collett

FOLDER = Path(lensmill.simulation.__file__).parent
NAMES = [each.name for each in pkgutil.walk_packages([str(FOLDER)], "lensmill.simulation.")]
ONE_STREAM_TWICE = {5: {"assembly.STREAM", "light.STREAM_MIXED"}}
"""Of these numbers each takes its own: Assembly 0–5 and 11–18, the mixed light 6–10."""
HANDED_IN = {"collett.py": ("each", "streams"), "matched.py": ("stream",)}
"""Calls whose stream has another name: Collett's count on from its own, a match's are STREAM's."""


def streams():
    """{number: users} of every constant that names a stream."""
    users = defaultdict(set)
    for name in NAMES:
        for key, value in vars(importlib.import_module(name)).items():
            if key == "STREAM" or key.endswith("_STREAM") or key.startswith("STREAM_"):
                numbers = value.values() if isinstance(value, dict) else [value]
                for number in numbers:
                    users[number].add(f"{name.rpartition('.')[2]}.{key}")
    return dict(users)


def draws():
    """(file, expression of the stream) of every call of `uniform` and `normal`."""
    for path in sorted(FOLDER.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            if called and node.func.id in ("uniform", "normal"):
                yield path.name, ast.unparse(node.args[2])


def test_every_stream_has_one_user():
    found = streams()
    assert len(found) > 15
    assert {k: users for k, users in found.items() if len(users) > 1} == ONE_STREAM_TWICE
    single = [number for number, users in found.items() if "collett" not in str(users)]
    assert max(single) < collett.FIRST_STREAM  # from which on Collett has one for each round


@pytest.mark.parametrize(("file", "stream"), list(draws()))
def test_every_draw_names_its_stream(file, stream):
    assert "STREAM" in stream or stream in HANDED_IN.get(file, ())
