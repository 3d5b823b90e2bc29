"""Build: from the names in a recipe or a weights file to living parts."""

import importlib
import inspect
from dataclasses import fields
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

import torch

from lensmill.grid import Grid
from lensmill.physics.surveys import Band, Survey, preset
from lensmill.simulation.grids import Grids
from lensmill.simulation.observing import Observing
from lensmill.simulation.psf_library import read_psf_library
from lensmill.simulation.simulator import Simulator
from lensmill.stages.base import Stage
from lensmill.training.recipe import Part, SimulationRecipe, StageRecipe

BUILT_IN = {
    "Priors": "lensmill.simulation.population.priors:Priors",
    "Collett": "lensmill.simulation.population.collett:Collett",
    "Catalogue": "lensmill.simulation.population.catalogue:Catalogue",
    "UNet": "lensmill.networks.unet:UNet",
    "Trunk": "lensmill.networks.trunk:Trunk",
    "Polar": "lensmill.networks.polar:Polar",
    "EDSR": "lensmill.networks.edsr:EDSR",
    "ResNet50": "lensmill.networks.resnet:ResNet50",
    "Denoise": "lensmill.stages.denoise:Denoise",
    "Deblend": "lensmill.stages.deblend:Deblend",
    "Classify": "lensmill.stages.classify:Classify",
    "Regress": "lensmill.stages.regress:Regress",
    "DisplayRestore": "lensmill.stages.display_restore:DisplayRestore",
    "DisplayClassify": "lensmill.stages.display_classify:DisplayClassify",
    "DisplayRegress": "lensmill.stages.display_regress:DisplayRegress",
}
"""Short names; your own parts are named `module:Name`."""


def resolve(name: str, trusted: bool) -> Any:
    """The class called `name`. Only a trusted name (a recipe's) may be another than `BUILT_IN`."""
    target = BUILT_IN.get(name, name)
    module, _, attribute = target.partition(":")
    if not attribute:
        close = get_close_matches(name, BUILT_IN, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"choices: {', '.join(BUILT_IN)}"
        raise ValueError(f"no part is called {name!r}; {hint} (your own: 'module:Name')")
    if not trusted and target not in BUILT_IN.values():
        raise ValueError(f"weights name the foreign part {name!r}; pass trust=True to import it")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"cannot import {target!r}: {error}") from None


def make(part: Part, *arguments: Any, trusted: bool = True) -> Any:
    """`part` with its keywords; ValueError names a keyword its constructor does not take."""
    target = resolve(part.name, trusted)
    _check_keywords(part, target, len(arguments))
    try:
        return target(*arguments, **part.keywords)
    except (TypeError, RuntimeError) as error:
        raise ValueError(f"cannot build {part.name} with {part.keywords}: {error}") from error


def _check_keywords(part: Part, target: Any, taken: int) -> None:
    """ValueError where a keyword is not among the constructor's, less the first `taken`."""
    parameters = list(inspect.signature(target).parameters.values())[taken:]
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    known = [parameter.name for parameter in parameters]
    for keyword in part.keywords:
        if keyword not in known:
            raise ValueError(f"{part.name} takes no {keyword!r}; it takes: {', '.join(known)}")


def build_stage(recipe: StageRecipe, trusted: bool = True) -> Stage:
    """The stage of a recipe with a network of its own, freshly initialised."""
    network = partial(_network, recipe.network, trusted)
    stage = make(recipe.stage, network, trusted=trusted)
    if not isinstance(stage, Stage):
        raise ValueError(f"{recipe.stage.name!r} is no stage")
    return stage


def _network(part: Part, trusted: bool, in_channels: int, out_channels: int) -> torch.nn.Module:
    network: torch.nn.Module = make(part, in_channels, out_channels, trusted=trusted)
    return network


def build_simulator(recipe: SimulationRecipe) -> Simulator:
    """The simulator of a recipe, on its largest grid at its finest scale."""
    grids, observing = build_grids(recipe), build_observing(recipe)
    grid = Grid(grids.largest, grids.pixel_scale[0])
    return Simulator(make(recipe.population), observing, grid)


def build_survey(recipe: SimulationRecipe) -> Survey:
    """The survey that a recipe names, or tells in full."""
    if isinstance(recipe.survey, str):
        return preset(recipe.survey)
    bands = {name: Band(**band.model_dump()) for name, band in recipe.survey.bands.items()}
    return Survey("own", recipe.survey.pixel_scale, bands, "the recipe")


def build_observing(recipe: SimulationRecipe) -> Observing:
    """The observing conditions of a recipe; reads its PSF images."""
    survey = build_survey(recipe)
    library = recipe.psf_images and read_psf_library(
        Path(recipe.psf_images), tuple(survey.bands), recipe.psf_image_scale or survey.pixel_scale
    )
    keys = [f.name for f in fields(Observing) if f.name not in ("survey", "psf_images")]
    same = {key: getattr(recipe, key) for key in keys}
    return Observing(survey, psf_images=library or None, **same)


def build_grids(recipe: SimulationRecipe) -> Grids:
    """The shapes and pixel scales of a recipe; the survey's own scale where none is given."""
    own = build_survey(recipe).pixel_scale
    return Grids(*recipe.shape, recipe.pixel_scale or (own, own))
