"""Slopes and shear in rendered scenes and in populations."""

from dataclasses import replace

import pytest
import torch

from lensmill.grid import Grid
from lensmill.physics.surveys import LSST_10YEAR
from lensmill.simulation.observing import Observing
from lensmill.simulation.population.priors import Priors
from lensmill.simulation.rendering import Sampling, render
from lensmill.simulation.scene import mapped

GRID = Grid((44, 51), 0.2)
COUNT = 3


@pytest.fixture(scope="module")
def scene():
    return Priors(lens_fraction=1.0, companions=0.0).draw(3, torch.arange(COUNT))


@pytest.fixture(scope="module")
def conditions():
    return Observing(LSST_10YEAR, psf_fwhm=(0.6, 0.9)).draw(3, torch.arange(COUNT), 0.2)


def with_mass(scene, **values):
    columns = {name: torch.full((COUNT,), value) for name, value in values.items()}
    return replace(scene, mass=replace(scene.mass, **columns))


def test_isothermal_slope_and_no_shear_are_the_sie(scene, conditions):
    plain = render(scene, conditions, GRID, Sampling())[1]
    same = with_mass(scene, slope=2.0, gamma1=0.0, gamma2=0.0)
    found = render(same, conditions, GRID, Sampling())[1]
    torch.testing.assert_close(found, plain, rtol=0, atol=float(2e-4 * plain.max()))


@pytest.mark.parametrize("values", [{"slope": 2.2}, {"gamma1": 0.05, "gamma2": -0.03}])
def test_slope_and_shear_change_the_arcs_alone(scene, conditions, values):
    clean, source = render(scene, conditions, GRID, Sampling())
    other, arcs = render(with_mass(scene, **values), conditions, GRID, Sampling())
    assert ((arcs - source).abs().amax((1, 2, 3)) > 0.05 * source.amax((1, 2, 3))).all()
    torch.testing.assert_close(other - arcs, clean - source, rtol=1e-4, atol=1e-2)


def test_shear_turns_with_the_sky(scene, conditions):
    """Turned by 90°: x, y and φ turn, γ changes its sign, and so does the image turn."""
    sheared = with_mass(scene, gamma1=0.06, gamma2=0.02)

    def turned(part):
        return replace(part, x=-part.y, y=part.x, phi=part.phi + torch.pi / 2)

    mass = turned(sheared.mass)
    mass = replace(mass, gamma1=-mass.gamma1, gamma2=-mass.gamma2)
    other = replace(
        sheared, mass=mass, foreground=turned(scene.foreground), source=turned(scene.source)
    )
    expected = render(sheared, conditions, GRID, Sampling())[0].rot90(-1, (2, 3))
    found = render(other, conditions, Grid((51, 44), 0.2), Sampling())[0]
    assert (found - expected).abs().max() < 2e-3 * expected.max()


@pytest.mark.parametrize("slope", [1.7, 2.0, 2.3])
def test_without_mass_nothing_is_deflected_at_any_slope(scene, conditions, slope):
    bare = render(with_mass(scene, theta_E=0.0), conditions, GRID, Sampling())[1]
    found = render(with_mass(scene, theta_E=0.0, slope=slope), conditions, GRID, Sampling())[1]
    torch.testing.assert_close(found, bare, rtol=0, atol=float(2e-4 * bare.max()))


def test_gradients_are_finite(scene, conditions):
    beyond = with_mass(scene, slope=2.1, gamma1=0.03, gamma2=0.0)
    beyond = replace(beyond, mass=mapped(beyond.mass, lambda value: value.requires_grad_()))
    total = render(beyond, conditions, GRID, Sampling())[1].log1p().sum()
    gradients = torch.autograd.grad(total, list(vars(beyond.mass).values()))
    assert all(gradient.isfinite().all() and gradient.any() for gradient in gradients)


def test_populations_scatter_slopes_and_shear():
    population = Priors(slope_scatter=0.1, shear_scatter=0.05, lens_fraction=0.5)
    drawn = population.draw(3, torch.arange(4000))
    lens = drawn.is_lens
    assert abs(drawn.mass.slope[lens].mean() - 2) < 0.01
    assert abs(drawn.mass.slope[lens].std() - 0.1) < 0.01
    assert (drawn.mass.slope[~lens] == 2).all()
    for shear in (drawn.mass.gamma1, drawn.mass.gamma2):
        assert abs(shear[lens].std() - 0.05) < 0.004
        assert (shear[~lens] == 0).all()
    plain = Priors(lens_fraction=0.5).draw(3, torch.arange(50))
    assert plain.mass.slope is plain.mass.gamma1 is None
    assert torch.equal(plain.mass.theta_E, drawn.mass.theta_E[:50])


@pytest.mark.parametrize("scatter", [0.0, 0.1])
def test_the_mean_slope_is_what_a_recipe_says(scatter):
    indices = torch.arange(2000)
    scene = Priors(slope=2.1, slope_scatter=scatter).draw(3, indices)
    lens = scene.is_lens
    assert scene.mass.slope[lens].mean() == pytest.approx(2.1, abs=0.01)
    assert scene.mass.slope[lens].std() == pytest.approx(scatter, abs=0.01)
    assert (scene.mass.slope[~lens] == 2).all()
    assert Priors(slope=2.0).draw(3, indices).mass.slope is None
