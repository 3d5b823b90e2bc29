"""Rendering through PSFs of any shape: against GalSim, symmetries, and the simulator's promises."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from lensmill.grid import Grid
from lensmill.physics.kernels import Moffat, PsfImage
from lensmill.physics.surveys import preset
from lensmill.simulation.observing import Observing
from lensmill.simulation.population.priors import Priors
from lensmill.simulation.rendering import Sampling, galaxy_cells, render
from lensmill.simulation.scene import Conditions, Mass, Scene, Sersic, mapped
from lensmill.simulation.simulator import Simulator

GALAXIES = [(1.0, 0.5, 0.6, 0.7), (4.0, 0.8, 0.7, 2.0), (4.0, 0.3, 0.5, 1.2)]
"""n, R_e, q, φ."""
PLACE = (0.33, -0.21)
MOFFATS = [(0.7, 2.5, 0.1, -0.05), (0.6, 4.5, -0.08, 0.1), (1.1, 3.0, 0.0, 0.0)]
"""FWHM, β, e1, e2."""
GRIDS = [Grid((52, 61), 0.2), Grid((47, 44), 0.263)]
OBSERVING = Observing(
    preset("lsst_10year"), psf_fwhm=(0.6, 0.9), moffat=(2.5, 4.5), psf_ellipticity=0.05
)


def number(*values):
    """One scene of bands, or components, in float64."""
    return torch.tensor([values], dtype=torch.float64)


def galaxy_scene(shape):
    """A galaxy of magnitude 20 and nothing else; `shape`: n, R_e, q, φ."""
    index, radius, q, phi = (number(value) for value in shape)
    x, y = (number(value) for value in PLACE)
    galaxy = Sersic(number([20.0]), radius, index, q, phi, x, y)
    dark = replace(galaxy, magnitude=torch.full_like(galaxy.magnitude, torch.inf))
    mass = Mass(*(number(value)[0] for value in (0.0, 1.0, 0.0, 0.0, 0.0)))
    zero = torch.zeros(1, dtype=torch.float64)
    return Scene(zero > 0, mass, galaxy, dark, zero, zero)


def image(shape, grid, fwhm, psf):
    """Through `psf`, of unit flux in all."""
    conditions = Conditions(number(fwhm), number(20.0), number(1.0), psf)
    return render(galaxy_scene(shape), conditions, grid, Sampling())[0][0, 0].numpy()


def their_image(galsim, shape, grid, psf, method="auto"):
    index, radius, q, phi = shape
    fine = galsim.GSParams(folding_threshold=1e-4, maximum_fft_size=16384)
    galaxy = galsim.Sersic(index, half_light_radius=radius, gsparams=fine)
    galaxy = galaxy.shear(q=q, beta=phi * galsim.radians).shift(*PLACE)
    seen = galsim.Convolve(galaxy, psf.withGSParams(fine))
    y, x = grid.shape
    return seen.drawImage(nx=x, ny=y, scale=grid.pixel_scale, method=method).array.astype(float)


def assert_agree(ours, theirs, worst_pixel, total_flux=1e-3):
    assert np.abs(ours - theirs).max() < worst_pixel * theirs.max()
    assert abs(ours.sum() / theirs.sum() - 1) < total_flux


@pytest.mark.oracle
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("shape", GALAXIES)
@pytest.mark.parametrize("fwhm", [0.5, 0.8, 1.2])
def test_gaussians_agree_with_galsim(grid, shape, fwhm):
    galsim = pytest.importorskip("galsim")
    theirs = their_image(galsim, shape, grid, galsim.Gaussian(fwhm=fwhm))
    assert_agree(image(shape, grid, fwhm, None), theirs, 1e-3)


@pytest.mark.oracle
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("shape", GALAXIES)
@pytest.mark.parametrize("moffat", MOFFATS)
def test_moffats_agree_with_galsim(grid, shape, moffat):
    galsim = pytest.importorskip("galsim")
    fwhm, beta, e1, e2 = moffat
    theirs = galsim.Moffat(beta, fwhm=fwhm).shear(g1=e1, g2=e2)
    psf = Moffat(number(beta), number(e1), number(e2))
    assert_agree(image(shape, grid, fwhm, psf), their_image(galsim, shape, grid, theirs), 1e-3)


@pytest.mark.oracle
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("shape", GALAXIES)
@pytest.mark.parametrize("own", [(0.1, 121), (0.2, 57), (0.26, 42)])
def test_images_of_a_psf_agree_with_the_psf_in_galsim(grid, shape, own):
    """Its pixels are finer than, as large as, and coarser than the stamp's, of either parity."""
    galsim = pytest.importorskip("galsim")
    theirs = galsim.Moffat(3.0, fwhm=0.8).shear(g1=0.06, g2=-0.04)
    scale, side = own
    kernel = theirs.drawImage(nx=side, ny=side, scale=scale).array
    psf = PsfImage(torch.from_numpy(kernel.astype(float))[None, None], number(scale))
    assert_agree(image(shape, grid, 0.8, psf), their_image(galsim, shape, grid, theirs), 1e-3)


@pytest.mark.oracle
@pytest.mark.parametrize("shape", GALAXIES)
@pytest.mark.parametrize(("own", "method"), [((0.05, 241), "auto"), ((0.2, 57), "no_pixel")])
def test_images_of_a_psf_agree_with_galsims_interpolated_images(shape, own, method):
    """All but without pixels of its own; and with the stamp's, where GalSim has to add none."""
    galsim = pytest.importorskip("galsim")
    scale, side = own
    drawn = galsim.Moffat(3.0, fwhm=0.8).shear(g1=0.06, g2=-0.04)
    kernel = drawn.drawImage(nx=side, ny=side, scale=scale)
    theirs = galsim.InterpolatedImage(kernel, scale=scale)
    psf = PsfImage(torch.from_numpy(kernel.array.astype(float))[None, None], number(scale))
    ours = image(shape, GRIDS[0], 0.8, psf)
    assert_agree(ours, their_image(galsim, shape, GRIDS[0], theirs, method), 3e-3)


def lenses(count=6):
    drawn = Priors(lens_fraction=1.0, companions=0.0).draw(3, torch.arange(count))
    double = mapped(drawn, lambda value: value.double() if value.is_floating_point() else value)
    conditions = mapped(OBSERVING.draw(3, torch.arange(count), 0.2), lambda value: value.double())
    return double, conditions


def turned(part):
    """By 90° from +x towards +y."""
    phi = torch.remainder(part.phi + math.pi / 2, math.pi)
    return replace(part, x=-part.y, y=part.x, phi=phi)


def test_a_turned_scene_through_a_turned_psf_is_the_turned_image():
    scene, conditions = lenses()
    parts = {name: turned(getattr(scene, name)) for name in ("mass", "foreground", "source")}
    psf = Moffat(conditions.psf.beta, -conditions.psf.e1, -conditions.psf.e2)
    found = render(
        replace(scene, **parts), replace(conditions, psf=psf), Grid((50, 45), 0.2), Sampling()
    )
    expected = render(scene, conditions, Grid((45, 50), 0.2), Sampling())
    for one, other in zip(found, expected, strict=True):
        worst = (one - torch.rot90(other, -1, (2, 3))).abs().amax((2, 3)) / other.amax((2, 3))
        assert worst.max() < 2e-4  # which cells are refined may differ


def test_float32_is_enough():
    scene, conditions = lenses()
    grid = Grid((45, 50), 0.2)
    expected = render(scene, conditions, grid, Sampling())
    single = [
        mapped(part, lambda value: value.float() if value.is_floating_point() else value)
        for part in (scene, conditions)
    ]
    for found, exact in zip(render(*single, grid, Sampling()), expected, strict=True):
        assert found.dtype == torch.float32
        assert ((found - exact).abs().amax((2, 3)) < 2e-4 * exact.amax((2, 3))).all()


@pytest.mark.parametrize("beyond", [0.2, 0.8, 1.5])
@pytest.mark.parametrize("radius", [0.01, 0.4], ids=["star", "galaxy"])
def test_light_beyond_the_edge_is_blurred_in(beyond, radius):
    """Right of the stamp, against a stamp that holds it."""
    small, large = Grid((45, 50), 0.2), Grid((75, 80), 0.2)
    scene, conditions = lenses()
    x = torch.full_like(scene.foreground.x, small.extent[0] / 2 + beyond)
    light = replace(scene.foreground, x=x, half_light_radius=torch.full_like(x, radius))
    there = replace(scene, foreground=replace(light, index=torch.ones_like(x)))
    found = render(there, conditions, small, Sampling())[0]
    truth = render(there, conditions, large, Sampling())[0]
    error = (found - truth[..., 15:-15, 15:-15]).abs().amax((-2, -1))
    assert (error < 4e-3 * truth.amax((-2, -1))).all()


def test_without_a_shape_images_are_those_of_the_matrices_to_the_bit():
    scene, conditions = lenses()
    grid, sampling = Grid((45, 50), 0.2), Sampling()
    clean, source = render(scene, replace(conditions, psf=None), grid, sampling)
    y, x = sampling.blur(conditions.psf_fwhm, grid)
    flux = 10.0 ** (-0.4 * (scene.foreground.magnitude - conditions.zero_point[:, None]))
    cells = galaxy_cells(scene.foreground, flux, sampling.cells_of(grid), sampling)
    assert torch.equal(clean, source + y @ cells @ x.mT)


@pytest.mark.parametrize("size", [1, 5])
def test_batch_splits_change_nothing(size):
    simulator = Simulator(Priors(), OBSERVING, Grid((34, 39), 0.21))
    indices = torch.arange(12)
    whole = simulator(5, indices)
    parts = [simulator(5, part) for part in indices.split(size)]
    for name, value in whole.items():
        found = torch.cat([part[name] for part in parts])
        scale = value.abs().amax() if value.dim() < 4 else value.abs().amax((2, 3), keepdim=True)
        assert ((found - value).abs() <= 1e-5 * scale).all(), name
