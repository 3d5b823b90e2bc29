"""Light at a stamp's edge: what lies just outside is blurred in."""

import math

import pytest
import torch

from lensmill.grid import Grid
from lensmill.simulation.rendering import Sampling, render
from lensmill.simulation.scene import Conditions, Mass, Scene, Sersic

GRID, LARGE = Grid((45, 50), 0.2), Grid((65, 70), 0.2)
CONDITIONS = Conditions(
    torch.tensor([[0.6, 0.9]]), torch.tensor([[30.0, 30.0]]), torch.tensor([[1.0, 1.0]])
)


def galaxy(magnitude, radius, x):
    """One round exponential disk, 0.3″ above the middle."""
    values = (radius, 1.0, 1.0, 0.0, x, 0.3)
    columns = (torch.tensor([[value]]) for value in values)
    return Sersic(torch.full((1, 1, 2), magnitude), *columns)


def scene(foreground):
    """Nothing but `foreground`."""
    mass = Mass(*(torch.tensor([value]) for value in (0.0, 0.8, 0.0, 0.0, 0.0)))
    empty = galaxy(math.inf, 0.2, 0.0)
    return Scene(torch.tensor([False]), mass, foreground, empty, *torch.ones(2, 1))


@pytest.mark.parametrize("beyond", [0.15, 0.3, 0.6])
@pytest.mark.parametrize("radius", [0.01, 0.4], ids=["star", "galaxy"])
def test_light_beyond_the_edge_is_blurred_in(beyond, radius):
    """Right of the stamp, against a stamp that holds it."""
    there = scene(galaxy(20.0, radius, GRID.extent[0] / 2 + beyond))
    truth = render(there, CONDITIONS, LARGE, Sampling())[0]
    found = render(there, CONDITIONS, GRID, Sampling())[0]
    error = (found - truth[..., 10:-10, 10:-10]).abs().amax((-2, -1))
    assert (error < 4e-3 * truth.amax((-2, -1))).all()
