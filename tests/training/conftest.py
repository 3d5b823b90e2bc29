"""The smallest trainings: four stamps a batch, a network of a few channels."""

import pytest

from lensmill.training import loop as module
from lensmill.training.recipe import parse_recipe

TINY = """
[simulation]
seed = 7
population = {{ name = "Priors", companions = 0.3 }}
pixel_scale = [0.19, 0.21]
shape = [[32, 34], [33, 37]]

[stages.denoise]
stage = {{ name = "Denoise" }}
network = {{ name = "UNet", widths = [4, 6], blocks = 1 }}
training = {{ {training} }}

[stages.deblend]
stage = {{ name = "Deblend", images = ["clean", "noisy"] }}
network = {{ name = "UNet", widths = [4], blocks = 1 }}
upstream = ["denoise"]
training = {{ {training} }}

[stages.classify]
stage = {{ name = "Classify" }}
network = {{ name = "{vector}", {keywords} }}
training = {{ {training} }}
"""
TRAINING = {"batch": 4, "steps": 12, "learning_rate": 4e-3, "precision": '"32-true"'}


@pytest.fixture
def tiny():
    """tiny(steps=3, vector="module:Name") -> a recipe."""

    def make(vector="Trunk", keywords="widths = [4, 6], blocks = 1, hidden = 4", **training):
        settings = ", ".join(f"{k} = {v}" for k, v in {**TRAINING, **training}.items())
        return parse_recipe(TINY.format(training=settings, vector=vector, keywords=keywords))

    return make


@pytest.fixture(autouse=True)
def _short_validation(monkeypatch):
    monkeypatch.setattr(module, "VALIDATION_BATCHES", 1)


@pytest.fixture
def own_parts(tmp_path, monkeypatch):
    """own_parts(source) writes a user's module `own_parts`, importable in this test alone."""

    def write(source):
        folder = tmp_path / "python"
        folder.mkdir()
        (folder / "own_parts.py").write_text(source)
        monkeypatch.syspath_prepend(folder)
        monkeypatch.delitem(__import__("sys").modules, "own_parts", raising=False)

    return write
