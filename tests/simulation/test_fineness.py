"""Fineness: cells as the sharpest PSF on a grid asks for, and what they are worth."""

import math

import pytest
import torch

from lensmill.grid import Grid
from lensmill.physics.psf_width import measure_fwhm
from lensmill.physics.surveys import preset
from lensmill.simulation.observing import Observing
from lensmill.simulation.population.priors import Priors
from lensmill.simulation.psf_library import PsfLibrary
from lensmill.simulation.rendering import Sampling, render
from lensmill.simulation.simulator import Simulator

GRID = Grid((34, 39), 0.2)
POPULATION = Priors(lens_fraction=1.0, companions=0.0)
EXACT = Sampling(6, 2.0, 3.0, 16, 32, 4000, ((3000, 3), (1500, 3)))


def _library(*fwhm):
    """A Gaussian for each band, of `fwhm` pixels before the pixel averages it."""
    x = torch.arange(26.0) - 12.5
    edges = [torch.erf(2 * math.log(2) ** 0.5 * x / width) for width in fwhm]
    images = [torch.outer(edge.diff(), edge.diff()) for edge in edges]
    widths = [torch.tensor([0.2 * measure_fwhm(image.numpy())]) for image in images]
    return PsfLibrary(tuple(image[None] for image in images), tuple(widths), 0.2, "a library")


def _simulator(**conditions):
    return Simulator(POPULATION, Observing(preset("lsst_10year"), **conditions), GRID)


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"psf_fwhm": (1.1, 1.5)}, 1),
        ({"psf_fwhm": (1.1, 1.5), "moffat": (2.5, 4.0)}, 2),
        ({"psf_fwhm": (0.5, 1.5)}, 2),
        ({"psf_fwhm": (0.39, 1.5)}, 3),
        ({"psf_fwhm": (0.5, 1.5), "band_scatter": 0.2}, 3),
        ({"visits": True}, 2),
        ({"visits": True, "seeing": 0.3}, 3),
        ({"visits": True, "seeing": 2.5}, 2),
        ({"psf_images": _library(8.0, 6.0, 5.5)}, 2),
        ({"psf_images": _library(8.0, 1.5, 5.5)}, 3),
    ],
)
def test_cells_are_as_fine_as_the_psfs_ask_for(conditions, expected):
    """Wide Gaussians one a pixel side, wide PSFs of other shapes two, sharp PSFs three."""
    assert _simulator(**conditions).fineness.supersampling == expected


def test_what_is_said_goes_before():
    assert Simulator(POPULATION, _simulator().observing, GRID, EXACT).fineness is EXACT


@pytest.mark.parametrize(
    ("conditions", "cells", "accuracy"),
    [
        ({"psf_fwhm": (1.0, 1.8)}, 1, 2e-3),
        ({"psf_fwhm": (0.3, 0.39)}, 3, 2e-3),
        ({"psf_images": _library(1.5, 1.5, 1.5)}, 3, 1e-3),
        ({"psf_images": _library(2.0, 2.0, 2.0)}, 2, 1e-3),
    ],
)
def test_images_are_within_the_stated_accuracy(conditions, cells, accuracy):
    """Worst pixel within so much of the peak, at both ends."""
    simulator = _simulator(**conditions)
    assert simulator.fineness.supersampling == cells
    seen = simulator.draw(3, torch.arange(6))
    for image, exact in zip(
        render(*seen, GRID, simulator.fineness), render(*seen, GRID, EXACT), strict=True
    ):
        assert ((image - exact).abs().amax((2, 3)) / exact.amax((2, 3))).max() < accuracy
