"""Rendering: symmetries, fluxes, places, convergence and gradients."""

import math
from dataclasses import fields, replace
from functools import partial

import fine
import numpy as np
import pytest
import torch
from scipy.special import gammaincc

from lensmill.grid import Grid
from lensmill.physics.light import sersic_b
from lensmill.physics.surveys import preset
from lensmill.simulation.observing import Observing
from lensmill.simulation.population.priors import Priors
from lensmill.simulation.rendering import Sampling, render
from lensmill.simulation.scene import Conditions, Mass, Scene, Sersic, mapped

GRID = Grid((45, 50), 0.2)
FINER = Sampling(
    supersampling=5,
    margin=1.6,
    core=3.0,
    rings=16,
    spokes=32,
    cells=4000,
    levels=((3000, 3), (1500, 3)),
)
COUNT = 6
SERSIC, MASS = ([f.name for f in fields(part)] for part in (Sersic, Mass))


def _double(tensor):
    return tensor.double() if tensor.is_floating_point() else tensor


@pytest.fixture(scope="module")
def scene():
    """Lenses without companions, in float64."""
    drawn = Priors(lens_fraction=1.0, companions=0.0).draw(3, torch.arange(COUNT))
    galaxy = mapped(drawn.foreground, lambda value: value[:, :2])
    return mapped(replace(drawn, foreground=galaxy), _double)


@pytest.fixture(scope="module")
def conditions():
    observing = Observing(preset("lsst_10year"), psf_fwhm=(0.6, 0.9), band_scatter=0.05)
    return mapped(observing.draw(3, torch.arange(COUNT), GRID.pixel_scale), _double)


@pytest.fixture(scope="module")
def images(scene, conditions):
    """(foreground, source)"""
    return _foreground_and_source(scene, conditions)


def _foreground_and_source(scene, conditions, grid=GRID, sampling=None):
    clean, source = render(scene, conditions, grid, sampling or Sampling())
    return clean - source, source


def _placed(change, scene):
    """The scene with `change` applied to where everything lies and points."""
    parts = {name: change(getattr(scene, name)) for name in ("mass", "foreground", "source")}
    return replace(scene, **parts)


def _turned(part):
    """By 90° from +x towards +y."""
    phi = torch.remainder(part.phi + math.pi / 2, math.pi)
    return replace(part, x=-part.y, y=part.x, phi=phi)


def _mirrored(part):
    return replace(part, y=-part.y, phi=torch.remainder(-part.phi, math.pi))


def _moved(part):
    """Two pixels along +x, one along −y."""
    return replace(part, x=part.x + 2 * GRID.pixel_scale, y=part.y - GRID.pixel_scale)


def _dark(galaxies):
    return replace(galaxies, magnitude=torch.full_like(galaxies.magnitude, torch.inf))


def _difference(found, expected):
    """Worst pixel over the peak, the largest of all scenes and bands."""
    return ((found - expected).abs().amax((2, 3)) / expected.amax((2, 3))).max().item()


def _galaxy(**values):
    """One scene of two bands with a galaxy in the foreground alone, and its conditions."""
    shape = {"half_light_radius": 0.5, "index": 1.0, "q": 0.6, "phi": 0.7, "x": 0.3, "y": -0.2}
    numbers = {name: _number([value]) for name, value in {**shape, **values}.items()}
    galaxy = Sersic(_number([[22.0, 21.0]]), **numbers)
    mass = Mass(*(_number(value) for value in (0.0, 1.0, 0.0, 0.0, 0.0)))
    zero = _number(0.0)
    return (
        Scene(torch.tensor([False]), mass, galaxy, _dark(galaxy), zero, zero),
        Conditions(_number([0.7, 0.8]), _number([30.0, 30.0]), _number([10.0, 10.0])),
    )


def _number(value):
    """With a batch axis of one, in float64."""
    return torch.tensor([value], dtype=torch.float64)


def test_a_turned_scene_gives_the_turned_image(scene, conditions, images):
    turned = _foreground_and_source(_placed(_turned, scene), conditions, Grid((50, 45), 0.2))
    expected = [torch.rot90(image, -1, (2, 3)) for image in images]
    assert _difference(turned[0], expected[0]) < 1e-9
    assert _difference(turned[1], expected[1]) < 2e-4  # which cells are refined may differ


def test_a_mirrored_scene_gives_the_mirrored_image(scene, conditions, images):
    mirrored = _foreground_and_source(_placed(_mirrored, scene), conditions)
    assert _difference(mirrored[0], images[0].flip(2)) < 1e-9
    assert _difference(mirrored[1], images[1].flip(2)) < 2e-4


def test_a_moved_scene_gives_the_moved_image(scene, conditions, images):
    moved = _foreground_and_source(_placed(_moved, scene), conditions)
    for found, image in zip(moved, images, strict=True):
        assert _difference(found[..., 4:-5, 6:-4], image[..., 5:-4, 4:-6]) < 2e-3


def test_light_lies_where_it_is_put():
    """x grows with the column, y with the row."""
    scene, conditions = _galaxy(x=1.0, y=-0.6, half_light_radius=0.2)
    clean, _ = render(scene, conditions, Grid((31, 41), 0.2), Sampling())
    for band in range(2):
        assert clean[0, band].argmax().item() == (15 - 3) * 41 + (20 + 5)


def test_the_major_axis_points_along_phi():
    """Half-way from +x towards +y: more light where x and y agree in sign."""
    scene, conditions = _galaxy(x=0.0, y=0.0, phi=math.pi / 4)
    grid = Grid((31, 41), 0.2)
    x, y = grid.coordinates(dtype=torch.float64)
    clean, _ = render(scene, conditions, grid, Sampling())
    assert (clean * x * y).sum() > 0.1 * (clean * (x**2 + y**2) / 2).sum()


@pytest.mark.parametrize(("index", "radius"), [(1.0, 0.5), (1.0, 0.05), (4.0, 0.1), (2.5, 0.2)])
def test_an_isolated_galaxy_has_its_flux(index, radius):
    """Less what lies beyond the largest circle in the stamp, to 1e-3."""
    scene, conditions = _galaxy(index=index, half_light_radius=radius, q=0.9)
    clean, source = render(scene, conditions, Grid((71, 80), 0.2), Sampling())
    flux = 10 ** (-0.4 * (scene.foreground.magnitude[:, 0] - conditions.zero_point))
    b = sersic_b(torch.tensor(index)).item()
    beyond = gammaincc(2 * index, b * (6.5 / radius) ** (1 / index))
    lacking = 1 - clean.sum((2, 3)) / flux
    assert (lacking < 1e-3 + beyond).all()
    assert (lacking > -1e-3).all()
    assert not source.any()


def test_flux_follows_magnitude_band_by_band(scene, conditions, images):
    fainter = scene.source.magnitude + torch.tensor([0.0, 2.5, 5.0])
    dimmed = replace(scene, source=replace(scene.source, magnitude=fainter))
    foreground, source = _foreground_and_source(dimmed, conditions)
    expected = images[1] * torch.tensor([1.0, 0.1, 0.01])[:, None, None]
    torch.testing.assert_close(source, expected)
    torch.testing.assert_close(foreground, images[0], rtol=1e-9, atol=1e-6)


def test_light_of_components_adds(scene, conditions, images):
    parts = [
        replace(scene, foreground=mapped(scene.foreground, lambda value, k=k: value[:, k : k + 1]))
        for k in (0, 1)
    ]
    bulge, disk = (_foreground_and_source(part, conditions)[0] for part in parts)
    torch.testing.assert_close(bulge + disk, images[0], rtol=1e-9, atol=1e-6)


def test_a_source_behind_no_mass_is_the_same_galaxy_in_the_foreground(scene, conditions):
    """Within 1e-3 of the peak: two ways of sampling the same light."""
    none = replace(scene, mass=replace(scene.mass, theta_E=torch.zeros(COUNT, dtype=torch.float64)))
    in_front = replace(none, foreground=scene.source, source=_dark(scene.source))
    _, behind = render(none, conditions, GRID, Sampling())
    clean, nothing = render(in_front, conditions, GRID, Sampling())
    assert not nothing.any()
    assert _difference(behind, clean) < 1e-3


@pytest.mark.parametrize("row", [0, 2])
def test_images_converge(scene, conditions, images, row):
    """Worst pixel within 2e-3 of the peak of a much finer sampling."""
    one = partial(mapped, change=lambda value: value[row : row + 1])
    finer = _foreground_and_source(one(scene), one(conditions), sampling=FINER)
    for image, expected in zip(images, finer, strict=True):
        assert _difference(image[row : row + 1], expected) < 2e-3


def _reference(scene, conditions, row):
    """Foreground and source of one scene, by the slow reference."""
    field = fine.Field(GRID.shape, GRID.pixel_scale, conditions.psf_fwhm[row].numpy(), 6)
    lens = fine.Lens(*(value[row].item() for value in list(vars(scene.mass).values())[:5]))

    def image(galaxies, component, draw):
        magnitude, *shape = (value[row, component] for value in vars(galaxies).values())
        flux = 10 ** (-0.4 * (magnitude - conditions.zero_point[row])).numpy()
        return flux[:, None, None] * draw(fine.Light(*(value.item() for value in shape)), field)

    galaxies = [image(scene.foreground, k, fine.galaxy_image) for k in (0, 1)]
    source = image(scene.source, 0, lambda light, on: fine.source_image(light, lens, on))
    return sum(galaxies), source


def test_an_image_agrees_with_the_reference(scene, conditions, images):
    """A compact source; `benchmarks/fine.py` shares no code with the renderer."""
    for image, expected in zip(images, _reference(scene, conditions, 4), strict=True):
        found, peak = image[4].numpy(), expected.max((1, 2))
        assert (np.abs(found - expected).max((1, 2)) < 2e-3 * peak).all()
        assert (np.abs(found.sum((1, 2)) / expected.sum((1, 2)) - 1) < 1e-3).all()


def test_float32_is_enough(scene, conditions, images):
    single = [mapped(each, _single) for each in (scene, conditions)]
    for found, expected in zip(_foreground_and_source(*single), images, strict=True):
        assert found.dtype == torch.float32
        assert _difference(found.double(), expected) < 2e-4


def _single(tensor):
    return tensor.float() if tensor.is_floating_point() else tensor


def _leaf(tensor):
    leaf = tensor.detach().clone()
    return leaf.requires_grad_() if leaf.is_floating_point() else leaf


def _leaves(part):
    if part is None:
        return []
    if isinstance(part, torch.Tensor):
        return [part] if part.requires_grad else []
    return [leaf for f in fields(part) for leaf in _leaves(getattr(part, f.name))]


def _special(scene):
    """A round lens, one all but round, one without mass; light right on a cell and right behind."""
    q, theta_E = scene.mass.q.clone(), scene.mass.theta_E.clone()
    q[0], q[1], theta_E[2] = 1.0, 1 - 1e-9, 0.0
    scene = replace(scene, mass=replace(scene.mass, q=q, theta_E=theta_E))
    return _placed(_on_a_cells_centre, scene)


def _on_a_cells_centre(part):
    return replace(part, x=torch.full_like(part.x, 0.05), y=torch.full_like(part.y, -0.05))


@pytest.mark.parametrize("change", [lambda scene: scene, _special], ids=["random", "special"])
@pytest.mark.parametrize("precision", [_single, _double], ids=["float32", "float64"])
def test_gradients_are_finite(scene, conditions, change, precision):
    """With respect to every parameter of the scene and the seeing."""
    scene = mapped(mapped(change(scene), precision), _leaf)
    conditions = mapped(mapped(conditions, precision), _leaf)
    clean, source = render(scene, conditions, GRID, Sampling())
    weight = torch.linspace(-1, 2, clean.numel()).view_as(clean)
    leaves = [
        leaf for part in (scene.mass, scene.foreground, scene.source) for leaf in _leaves(part)
    ]
    leaves += [conditions.psf_fwhm, conditions.zero_point]
    assert len(leaves) == 5 + 7 + 7 + 2
    gradients = torch.autograd.grad((weight * (clean + source)).sum(), leaves)
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert all(gradient.any() for gradient in gradients)


@pytest.mark.parametrize(
    ("part", "name"),
    [(part, name) for part in ("source", "foreground") for name in SERSIC]
    + [("mass", name) for name in MASS[:5]],
)
def test_gradients_are_those_of_finite_differences(scene, conditions, part, name):
    """Of Σ log(1 + light): to 2 %, for cells are refined or not in steps."""
    step = 1e-4

    def total(shift):
        value = getattr(getattr(scene, part), name) + shift
        moved = replace(scene, **{part: replace(getattr(scene, part), **{name: value})})
        return render(moved, conditions, GRID, Sampling())[0].log1p().sum((1, 2, 3))

    shift = torch.zeros((), dtype=torch.float64, requires_grad=True)
    found = torch.stack(
        [torch.autograd.grad(each, shift, retain_graph=True)[0] for each in total(shift)]
    )
    with torch.no_grad():
        expected = (total(torch.tensor(step)) - total(torch.tensor(-step))) / (2 * step)
    assert (found - expected).abs().max() < 0.02 * expected.abs().max()
