"""Images of impostors and of points of light: turned, in closed form, and without a source."""

import math
from dataclasses import replace

import pytest
import torch

from lensmill.grid import Grid
from lensmill.physics.surveys import LSST_10YEAR
from lensmill.simulation.observing import Observing
from lensmill.simulation.population.priors import Priors
from lensmill.simulation.population.structure import POINTS
from lensmill.simulation.rendering import Sampling, render
from lensmill.simulation.scene import Points, mapped
from lensmill.simulation.simulator import Simulator

COUNT = 300
INDICES = torch.arange(COUNT)
SHARES = {"spiral": 0.2, "ring": 0.1, "edge_on": 0.15, "merger": 0.25, "blue_companions": 0.1}
POPULATION = Priors(shear_scatter=0.05, slope_scatter=0.1, impostors=SHARES)
GRID = Grid((44, 51), 0.2)
OBSERVING = Observing(LSST_10YEAR, psf_fwhm=(0.6, 0.9))


@pytest.fixture(scope="module")
def drawn():
    return POPULATION.draw(3, INDICES)


@pytest.fixture(scope="module")
def some(drawn):
    """Two impostors of each kind and one lens, in float64, and their conditions."""
    rows = torch.cat([(drawn.kind == k).nonzero()[:2, 0] for k in (0, *range(3, 8))])
    conditions = OBSERVING.draw(3, INDICES[rows], GRID.pixel_scale)
    scene = mapped(drawn, lambda value: value[rows])
    return [mapped(part, lambda t: t.double() if t.is_floating_point() else t) for part in
            (scene, conditions)]  # fmt: skip


def test_impostors_have_no_source_image(some):
    scene, conditions = some
    clean, source = render(scene, conditions, GRID, Sampling())
    impostor = scene.kind >= 3
    assert not source[impostor].any()
    assert (clean[impostor].amax((1, 2, 3)) > 0).all()
    assert source[~impostor].any()


def test_a_turned_scene_gives_the_turned_image(some):
    scene, conditions = some
    turned = {
        "mass": replace(
            scene.mass, x=-scene.mass.y, y=scene.mass.x, phi=scene.mass.phi + math.pi / 2,
            gamma1=-scene.mass.gamma1, gamma2=-scene.mass.gamma2,
        ),
        **{
            name: replace(part, x=-part.y, y=part.x, phi=part.phi + math.pi / 2)
            for name, part in (("foreground", scene.foreground), ("source", scene.source))
        },
        "points": replace(scene.points, x=-scene.points.y, y=scene.points.x),
    }  # fmt: skip
    expected = torch.rot90(render(scene, conditions, GRID, Sampling())[0], -1, (2, 3))
    found = render(replace(scene, **turned), conditions, Grid((51, 44), 0.2), Sampling())[0]
    difference = (found - expected).abs().amax((2, 3)) / expected.amax((2, 3))
    assert difference[scene.kind >= 3].max() < 1e-9
    assert difference.max() < 2e-4


def test_points_are_the_psf(some):
    """Σ flux · (a Gaussian over each pixel), in closed form, to a thousandth of the peak."""
    scene, conditions = some
    count = len(scene.is_lens)
    x, y = torch.tensor([[-2.03, 0.011, 1.47, 3.3], [1.05, -2.2, 0.333, 1.9]], dtype=torch.float64)
    light = torch.tensor([20.0, 21.0, torch.inf, 19.0], dtype=torch.float64)
    points = Points(light[:, None].expand(count, 4, 3), x.expand(count, 4), y.expand(count, 4))
    dark = replace(
        scene.foreground, magnitude=torch.full_like(scene.foreground.magnitude, math.inf)
    )
    bare = replace(scene, foreground=dark, points=points)
    found = torch.sub(*render(bare, conditions, GRID, Sampling()))
    flux = 10 ** (-0.4 * (light - conditions.zero_point[..., None]))
    along_x, along_y = (
        _share_of_pixels(place, conditions.psf_fwhm, pixels)
        for place, pixels in ((x, GRID.shape[1]), (y, GRID.shape[0]))
    )
    expected = torch.einsum("sbp,sbpy,sbpx->sbyx", flux, along_y, along_x)
    assert (found - expected).abs().max() < 1e-3 * expected.max()
    torch.testing.assert_close(found.sum((2, 3)), flux.sum(2), rtol=1e-5, atol=0)


def _share_of_pixels(place, fwhm, pixels):
    """(scene, band, point, pixel)"""
    edges = (torch.arange(pixels + 1) - pixels / 2) * GRID.pixel_scale
    scale = 2 * math.sqrt(math.log(2)) / fwhm[..., None, None]
    return 0.5 * torch.erf((edges - place[:, None]) * scale).diff(dim=-1)


def test_components_without_light_change_nothing(some):
    scene, conditions = some
    lit = scene.foreground.magnitude.isfinite().any(-1)
    moved = replace(scene.foreground, x=torch.where(lit, scene.foreground.x, 0.3))
    found = render(replace(scene, foreground=moved), conditions, GRID, Sampling())
    for image, expected in zip(found, render(scene, conditions, GRID, Sampling()), strict=True):
        assert torch.equal(image, expected)


def test_the_dark_sky_is_dark(some):
    scene, conditions = some
    names = ("foreground", "source", "points")
    dark = {
        name: replace(part, magnitude=torch.full_like(part.magnitude, torch.inf))
        for name, part in ((name, getattr(scene, name)) for name in names)
    }
    for image in render(replace(scene, **dark), conditions, GRID, Sampling()):
        assert not image.any()


def test_the_kind_is_a_truth_of_the_simulator(drawn):
    batch = Simulator(POPULATION, OBSERVING, Grid((33, 40), 0.25))(3, INDICES[:12])
    assert torch.equal(batch["kind"], drawn.kind[:12].float())
    assert drawn.points.x.shape == (COUNT, POINTS)
    assert batch["noisy"].isfinite().all()
