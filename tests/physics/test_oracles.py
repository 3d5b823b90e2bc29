"""Deflections and images against lenstronomy and caustics, where they are installed."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lensmill.physics.lens import sie_deflection
from lensmill.simulation.rendering import Sampling, render

pytest.importorskip("lenstronomy")
pytest.importorskip("caustics")
import peers
from systems import Systems, random_systems

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # theirs
LENSES = 1000
SPECIAL = (1.0, 0.9999, 0.2)


def by_grid(systems: Systems) -> str:
    """A name for the test of each system."""
    return "x".join(map(str, systems.grid.shape))


def random_lenses() -> list[list[float]]:
    """θ_E, q, φ, x, y of each."""
    generator = np.random.default_rng(7)
    low, high = [0.1, 0.2, 0.0, -0.3, -0.3], [3.0, 1.0, np.pi, 0.3, 0.3]
    lenses = generator.uniform(low, high, (LENSES, 5))
    lenses[: 3 * 20, 1] = np.repeat(SPECIAL, 20)
    return lenses.tolist()


@pytest.mark.parametrize("code", ["lenstronomy", "caustics"])
def test_deflections_agree_to_a_millionth_of_an_arcsecond(code: str) -> None:
    theirs = getattr(peers, f"{code}_deflection")
    generator = np.random.default_rng(8)
    worst = 0.0
    for lens in random_lenses():
        x, y = generator.uniform(-5, 5, (2, 64))
        theta_E, q, phi, x0, y0 = (torch.tensor(value, dtype=torch.float64) for value in lens)
        dx, dy = torch.from_numpy(x) - x0, torch.from_numpy(y) - y0
        ours = sie_deflection(dx, dy, theta_E, q, phi)
        pairs = zip(ours, theirs(x, y, lens), strict=True)
        worst = max(worst, *(np.abs(a.numpy() - b).max() for a, b in pairs))
    assert worst < 1e-6


def test_gradients_are_finite_everywhere() -> None:
    """At the centre, on the axes and far away; for every lens above."""
    position = torch.tensor([0.0, 1e-12, 1e-6, 0.3, 40.0], dtype=torch.float64)
    x, y = (each.flatten() for each in torch.meshgrid(position, position, indexing="ij"))
    lenses = torch.tensor(random_lenses(), dtype=torch.float64)[:, :3, None].unbind(1)
    leaves = [each.clone().requires_grad_() for each in (x, y, *lenses)]
    alpha = sie_deflection(*leaves)
    gradients = torch.autograd.grad(alpha[0].sum() + 2 * alpha[1].sum(), leaves)
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("systems", list(random_systems(seed=3, each=1)), ids=by_grid)
def test_images_agree_with_lenstronomy(systems: Systems) -> None:
    """Eight systems here; `benchmarks/render.py` compares two hundred."""
    scene, conditions, grid = systems.scene, systems.conditions, systems.grid
    ours = render(scene, conditions, grid, Sampling())[0][0].numpy()
    theirs = peers.lenstronomy_image(scene, conditions, grid, 0, supersampling=9, cusp=45)
    peak, total = theirs.max((1, 2)), theirs.sum((1, 2))
    assert (np.abs(ours - theirs).max((1, 2)) < 2e-3 * peak).all()
    assert (np.abs(ours.sum((1, 2)) / total - 1) < 1.2e-3).all()  # theirs is not converged


@pytest.mark.parametrize("systems", list(random_systems(seed=4, each=1)), ids=by_grid)
def test_slope_and_shear_agree_with_lenstronomy(systems: Systems) -> None:
    mass = replace(
        systems.scene.mass,
        slope=torch.tensor([2.15]),
        gamma1=torch.tensor([0.04]),
        gamma2=torch.tensor([-0.06]),
    )
    large = systems.scene.source.half_light_radius.clamp(min=0.2)  # theirs converges
    source = replace(systems.scene.source, half_light_radius=large)
    scene = replace(systems.scene, mass=mass, source=source)
    _, arcs = render(scene, systems.conditions, systems.grid, Sampling())
    dark = torch.full_like(scene.source.magnitude, torch.inf)
    bare = replace(scene, foreground=replace(scene.source, magnitude=dark))
    theirs = peers.lenstronomy_image(bare, systems.conditions, systems.grid, 0, 9)
    difference = np.abs(arcs[0].numpy() - theirs).max((1, 2))
    assert (difference < 2e-3 * theirs.max((1, 2))).all()
