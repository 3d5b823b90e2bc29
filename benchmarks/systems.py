"""Random lens systems on stamps that are not square, for comparing renderers."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import resources

import torch

from lensmill.grid import Grid
from lensmill.physics.surveys import LSST_10YEAR
from lensmill.simulation.observing import Observing
from lensmill.simulation.population.priors import Priors
from lensmill.simulation.scene import Conditions, Scene, Sersic
from lensmill.training.build import build_grids, build_simulator
from lensmill.training.recipe import parse_recipe

STAMPS = (
    ((64, 57), 0.2, (0.5, 1.3)),
    ((45, 60), 0.27, (0.5, 0.7)),
    ((61, 52), 0.17, (0.5, 1.3)),
    ((48, 55), 0.25, (0.6, 1.3)),
    ((72, 66), 0.18, (0.5, 0.8)),
    ((41, 56), 0.263, (0.8, 1.3)),
    ((64, 63), 0.2, (0.5, 0.6)),
    ((57, 70), 0.22, (0.7, 1.1)),
)
"""(shape, pixel scale in arcsec, range of the FWHM in arcsec) of each group."""


@dataclass(frozen=True)
class Systems:
    """Scenes of one shape, and how they are seen."""

    scene: Scene
    conditions: Conditions
    grid: Grid


def random_systems(seed: int, each: int) -> Iterator[Systems]:
    """`each` lenses for every stamp of `STAMPS`: bulge and disk of the lens, one source."""
    population = Priors(lens_fraction=1.0, companions=0.0)
    for number, (shape, pixel_scale, psf_fwhm) in enumerate(STAMPS):
        indices = torch.arange(number * each, (number + 1) * each)
        scene = population.draw(seed, indices)
        galaxy = Sersic(*(value[:, :2] for value in vars(scene.foreground).values()))
        conditions = Observing(LSST_10YEAR, psf_fwhm).draw(seed, indices, pixel_scale)
        yield Systems(replace(scene, foreground=galaxy), conditions, Grid(shape, pixel_scale))


def paper_systems(seed: int, count: int) -> Systems:
    """Lenses of recipes/paper.toml: one de Vaucouleurs galaxy, one source."""
    text = resources.files("lensmill.recipes").joinpath("paper.toml").read_text(encoding="utf-8")
    recipe = parse_recipe(text, "paper.toml").simulation
    simulator = build_simulator(recipe).on(build_grids(recipe).draw(seed, 0))
    population = replace(simulator.population, lens_fraction=1.0)
    scene, conditions = replace(simulator, population=population).draw(seed, torch.arange(count))
    galaxy = Sersic(*(value[:, :1] for value in vars(scene.foreground).values()))
    return Systems(replace(scene, foreground=galaxy), conditions, simulator.grid)
