"""Clumps: a source's own light in small, bluer components within it."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from lensmill.physics.light import elliptical_radius_squared
from lensmill.simulation.population.clumps import REACH, with_clumps
from lensmill.simulation.population.priors import Priors
from lensmill.simulation.rendering import Sampling, render

INDICES = torch.arange(500)
PLAIN = Priors(empty_fraction=0.2)
CLUMPY = replace(PLAIN, clumps=3)


@pytest.fixture(scope="module")
def plain():
    return PLAIN.draw(3, INDICES)


@pytest.fixture(scope="module")
def clumpy():
    return CLUMPY.draw(3, INDICES)


def _flux(source):
    return 10 ** (-0.4 * source.magnitude.double())


def test_a_source_keeps_its_total_magnitude_in_every_band(plain, clumpy):
    assert clumpy.source.x.shape == (500, 4)
    expected = _flux(plain.source)[:, 0]
    torch.testing.assert_close(_flux(clumpy.source).sum(1), expected, rtol=1e-5, atol=0)
    assert ((expected == 0).all(-1) == clumpy.source.magnitude.isinf().all(-1).all(-1)).all()


def test_clumps_share_between_a_tenth_and_half_of_the_light(plain, clumpy):
    """In the i band."""
    lit = plain.source.magnitude[:, 0, 2].isfinite()
    flux = _flux(clumpy.source)[lit, :, 2]
    share = flux[:, 1:].sum(1) / flux.sum(1)
    assert 0.1 <= share.min() < 0.12
    assert 0.48 < share.max() <= 0.5 + 1e-6


def test_clumps_are_bluer_and_smaller_and_within_their_source(clumpy):
    source = clumpy.source
    lit = source.magnitude[:, 0, 0].isfinite()
    whole, clump = ({k: v[lit, part] for k, v in vars(source).items()} for part in (0, slice(1, 4)))
    colour = clump["magnitude"][..., 0] - clump["magnitude"][..., 2]
    main = (whole["magnitude"][:, 0] - whole["magnitude"][:, 2])[:, None]
    assert (colour < main + 1e-4).all()
    assert (clump["half_light_radius"] <= 1.001 * whole["half_light_radius"][:, None]).all()
    dx, dy = (clump[axis] - whole[axis][:, None] for axis in ("x", "y"))
    q, phi = whole["q"][:, None], whole["phi"][:, None]
    distance = elliptical_radius_squared(dx, dy, q, phi).sqrt()
    reach = distance / whole["half_light_radius"][:, None]
    assert reach.max() <= REACH * (1 + 1e-3)
    assert reach.max() > 0.95 * REACH


def test_the_rest_of_the_scene_stays_as_it_is(plain, clumpy):
    for name, value in vars(plain.source).items():
        if name != "magnitude":
            assert torch.equal(getattr(clumpy.source, name)[:, :1], value), name
    assert torch.equal(clumpy.foreground.magnitude, plain.foreground.magnitude)
    assert torch.equal(clumpy.kind, plain.kind)


def test_clumps_lie_in_the_disk_and_leave_the_bulge_alone():
    """A source of bulge and disk: pure bulges have none."""
    plain, clumpy = (Priors(source_light="cosmodc2", clumps=k).draw(3, INDICES) for k in (0, 3))
    whole, parts = plain.source, clumpy.source
    assert parts.index[0].tolist() == [4.0, 1.0, 1.0, 1.0, 1.0]
    assert torch.equal(parts.magnitude[:, 0], whole.magnitude[:, 0])
    found, expected = _flux(parts)[:, 1:].sum(1), _flux(whole)[:, 1]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)
    has_disk = whole.magnitude[:, 1, 2].isfinite()
    assert 0.02 < (~has_disk).double().mean() < 0.9
    assert torch.equal(parts.magnitude[:, 2:, 2].isfinite().all(1), has_disk)
    size = whole.half_light_radius[:, 1]
    distance = torch.hypot(parts.x[:, 2:] - whole.x[:, 1:], parts.y[:, 2:] - whole.y[:, 1:])
    assert (distance.amax(1) < REACH * size / whole.q[:, 1].sqrt() * 1.001).all()


@pytest.mark.parametrize("chosen", [[5], [3, 5, 9]])
def test_clumps_depend_on_seed_and_index_alone(clumpy, chosen):
    found = CLUMPY.draw(3, torch.tensor(chosen)).source
    for name, value in vars(found).items():
        torch.testing.assert_close(value, getattr(clumpy.source, name)[chosen], rtol=1e-6, atol=0)
    assert (CLUMPY.draw(4, torch.tensor(chosen)).source.x != found.x).all()


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # theirs
@pytest.mark.parametrize("number", [3, 5])
def test_a_lensed_clumpy_source_agrees_with_lenstronomy(number):
    """At the components' own sizes, all three bands, through its own PSFs."""
    pytest.importorskip("lenstronomy")
    pytest.importorskip("caustics")
    import peers
    from systems import random_systems

    systems = next(islice(random_systems(seed=3, each=1), number, None))
    large = systems.scene.source.half_light_radius.clamp(min=0.4)  # theirs converges
    source = with_clumps(
        replace(systems.scene.source, half_light_radius=large), 3, torch.tensor([number]), 2
    )
    dark = replace(source, magnitude=torch.full_like(source.magnitude, torch.inf))
    scene = replace(systems.scene, source=source, foreground=dark)
    ours = render(scene, systems.conditions, systems.grid, Sampling())[1][0].numpy()
    theirs = peers.lenstronomy_image(scene, systems.conditions, systems.grid, 0, 9, arcs=21)
    assert (np.abs(ours - theirs).max((1, 2)) < 2e-3 * theirs.max((1, 2))).all()
    assert (np.abs(ours.sum((1, 2)) / theirs.sum((1, 2)) - 1) < 1e-3).all()
