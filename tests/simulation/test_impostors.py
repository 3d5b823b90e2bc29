"""Impostors: what they are made of, how they look, and that none of them is a lens."""

import math
import re
from dataclasses import replace

import pytest
import torch
from scipy.stats import kstest

from lensmill.simulation.population.collett import Collett
from lensmill.simulation.population.companions import SLOTS as COMPANIONS
from lensmill.simulation.population.crowds import WIDEST_MERGER
from lensmill.simulation.population.impostors import CHOICES
from lensmill.simulation.population.priors import Priors
from lensmill.simulation.population.spirals import ARM_RADII
from lensmill.simulation.population.structure import SLOTS
from lensmill.simulation.scene import KINDS

COUNT = 3000
INDICES = torch.arange(COUNT)
SHARES = {"spiral": 0.2, "ring": 0.1, "edge_on": 0.15, "merger": 0.25, "blue_companions": 0.1}
PLAIN = Priors(lens_fraction=0.3, empty_fraction=0.2, shear_scatter=0.05, slope_scatter=0.1)
POPULATION = replace(PLAIN, impostors=SHARES)
OWN = slice(-SLOTS, None)
"""The components that impostors have of their own, after the lens galaxy's and companions'."""


@pytest.fixture(scope="module")
def plain():
    return PLAIN.draw(3, INDICES)


@pytest.fixture(scope="module")
def drawn():
    return POPULATION.draw(3, INDICES)


def only(name, count=400, **options):
    """Scenes of one kind of impostor, without companions."""
    population = Priors(lens_fraction=0.0, companions=0.0, impostors={name: 1.0}, **options)
    return population.draw(3, torch.arange(count))


def lens_galaxies(count=400):
    """The lens galaxies of the same scenes, and their θ_E."""
    scene = Priors(lens_fraction=1.0, companions=0.0).draw(3, torch.arange(count))
    return scene, magnitude(scene.foreground)


def magnitude(light, part=slice(None)):
    """Total i magnitude of components or points."""
    return -2.5 * (10 ** (-0.4 * light.magnitude[:, part, 2].double())).sum(1).log10()


def tensors(part):
    for value in vars(part).values():
        if isinstance(value, torch.Tensor):
            yield value
        elif value is not None:
            yield from tensors(value)


def test_shares_are_of_the_non_lenses(drawn):
    others = drawn.kind[~drawn.is_lens]
    for name, share in SHARES.items():
        found = (others == KINDS.index(name)).double().mean().item()
        assert abs(found - share) < 4 * math.sqrt(share * (1 - share) / len(others)), name
    assert ((drawn.kind == 0) == drawn.is_lens).all()


def test_kinds_without_impostors(plain):
    empty = plain.source.magnitude.isinf().all(-1)[:, 0]
    assert ((plain.kind == 2) == empty).all()
    assert set(plain.kind.tolist()) == {0, 1, 2}
    assert plain.points is plain.impostor is None


def test_every_impostor_has_a_name():
    assert KINDS[3:] == CHOICES
    assert set(SHARES) == set(CHOICES)


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"spirals": 0.1}, "did you mean 'spiral'? choices: spiral, ring, edge_on, merger"),
        ({"spiral": 0.7, "ring": 0.4}, "sum to 1 at most"),
        ({"spiral": -0.1}, "shares are from 0"),
    ],
)
def test_bad_shares_are_named(shares, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Priors(impostors=shares)
    with pytest.raises(ValueError, match="impostors"):
        Collett(impostors=shares)


def test_other_scenes_stay_as_they_are(plain, drawn):
    same = drawn.kind < 3
    for name in ("mass", "source"):
        parts = zip(tensors(getattr(drawn, name)), tensors(getattr(plain, name)), strict=True)
        assert all(torch.equal(found[same], expected[same]) for found, expected in parts), name
    before = drawn.foreground.magnitude[same, :-SLOTS]
    assert torch.equal(before, plain.foreground.magnitude[same])
    assert drawn.foreground.magnitude[same, -SLOTS:].isinf().all()
    assert drawn.points.magnitude[same].isinf().all()
    assert torch.equal(drawn.is_lens, plain.is_lens)


def test_impostors_have_nothing_behind_them_and_do_not_lens(drawn):
    impostor = drawn.kind >= 3
    assert not drawn.is_lens[impostor].any()
    assert drawn.source.magnitude[impostor].isinf().all()
    for value in (drawn.mass.theta_E, drawn.mass.gamma1, drawn.mass.gamma2):
        assert (value[impostor] == 0).all()


def test_impostors_keep_their_companions(plain, drawn):
    companions = drawn.foreground.magnitude[:, -SLOTS - COMPANIONS : -SLOTS]
    assert torch.equal(companions, plain.foreground.magnitude[:, -COMPANIONS:])


@pytest.mark.parametrize("chosen", [[5], [3, 5, 9], range(40, 71)])
def test_a_scene_depends_on_seed_and_index_alone(drawn, chosen):
    chosen = list(chosen)
    found = POPULATION.draw(3, torch.tensor(chosen))
    for value, whole in zip(tensors(found), tensors(drawn), strict=True):
        torch.testing.assert_close(value, whole[chosen], rtol=1e-6, atol=1e-6)


def test_another_seed_draws_other_impostors(drawn):
    other = POPULATION.draw(4, INDICES[:300])
    both = (other.kind == 3) & (drawn.kind[:300] == 3)
    assert both.any()
    assert (other.points.x[both] != drawn.points.x[:300][both]).all()


def test_spirals_are_as_bright_as_lenses_and_take_their_place():
    scene, lens = only("spiral"), lens_galaxies()[1]
    total = 10 ** (-0.4 * magnitude(scene.foreground)) + 10 ** (-0.4 * magnitude(scene.points))
    offset = -2.5 * total.log10() - lens
    assert kstest(offset, "uniform", (-0.3, 1.3)).pvalue > 1e-3
    assert scene.foreground.magnitude[:, :2].isinf().all()


def test_arms_are_logarithmic_spirals_bluer_than_their_disk():
    """In the disk's plane ln r grows with the azimuth, by tan 10° to tan 35°."""
    scene = only("spiral", count=150)
    disk = scene.foreground.q[:, OWN][:, 1]
    phi, x, y = (getattr(scene.foreground, name)[:, OWN][:, 1] for name in ("phi", "x", "y"))
    dx, dy = scene.points.x - x[:, None], scene.points.y - y[:, None]
    u = dx * phi.cos()[:, None] + dy * phi.sin()[:, None]
    v = (dy * phi.cos()[:, None] - dx * phi.sin()[:, None]) / disk[:, None]
    radius, azimuth = torch.hypot(u, v), torch.atan2(v, u)
    outer = radius.quantile(0.95, dim=1)
    assert 0.6 * ARM_RADII[0] < outer.min()
    assert outer.max() < 1.4 * ARM_RADII[1]
    # Some pitch angle, way of turning and number of arms lines up the azimuths of each.
    pitch = torch.deg2rad(torch.linspace(10, 35, 51)).tan()
    unwound = azimuth[..., None] - radius.log()[..., None] / torch.cat([pitch, -pitch])
    aligned = [torch.exp(1j * arms * unwound).mean(1).abs().amax(1) for arms in (2, 3, 4)]
    assert (torch.stack(aligned).amax(0) > 0.5).double().mean() > 0.8
    arms, stars = scene.points.magnitude, scene.foreground.magnitude[:, OWN][:, 1]
    bluer = (arms[..., 0] - arms[..., 2])[:, 0] < stars[:, 0] - stars[:, 2]
    assert bluer.double().mean() > 0.9


def test_rings_lie_around_the_lens_galaxy():
    """Beyond half its light, at about θ_E or more; between 6 and 42 % as bright."""
    scene = only("ring")
    lenses, lens = lens_galaxies()
    share = 10 ** (-0.4 * (magnitude(scene.points) - lens))
    assert kstest((share / 0.06).log() / math.log(7), "uniform").pvalue > 1e-3
    assert torch.equal(scene.foreground.magnitude[:, :2], lenses.foreground.magnitude[:, :2])
    distance = torch.hypot(
        scene.points.x - scene.mass.x[:, None], scene.points.y - scene.mass.y[:, None]
    )
    assert (distance.amax(1) / lenses.mass.theta_E).quantile(0.05) > 0.5
    assert (distance.amax(1) < 5 / 0.3**0.5 * 1.8).all()


def test_edge_on_disks_are_thin():
    scene = only("edge_on")
    lit = scene.foreground.magnitude[:, OWN, 2].isfinite()
    disk = scene.foreground.q[:, OWN][:, 0]
    assert 0.1 <= disk.min() < 0.11
    assert 0.24 < disk.max() <= 0.25
    warped = lit[:, 2] & lit[:, 3]
    assert abs(warped.double().mean() - 0.5) < 0.1
    beside = scene.foreground.magnitude[:, 0, 2].isfinite()
    assert abs(beside.double().mean() - 0.5) < 0.1
    assert scene.points.magnitude.isinf().all()


def test_mergers_are_comparable_and_close():
    scene, lens = only("merger"), lens_galaxies()[1]
    dx = scene.foreground.x[:, OWN] - scene.mass.x[:, None]
    dy = scene.foreground.y[:, OWN] - scene.mass.y[:, None]
    lit = scene.foreground.magnitude[:, OWN, 2].isfinite()
    assert torch.hypot(dx, dy)[lit].max() <= WIDEST_MERGER + 1e-3
    first = magnitude(scene.foreground, slice(2 - SLOTS, 4 - SLOTS))
    assert kstest(first - lens, "uniform", (-0.3, 1.8)).pvalue > 1e-3
    tails = 10 ** (-0.4 * (magnitude(scene.points) - lens))
    assert 0.03 < tails.min() < tails.max() < 0.21
    three = lit[:, 4] | lit[:, 5]
    assert abs(three.double().mean() - 0.35) < 0.1


def test_blue_companions_lie_where_arcs_would():
    scene = only("blue_companions")
    theta_E = lens_galaxies()[0].mass.theta_E[:, None]
    lit = scene.foreground.magnitude[:, OWN, 2].isfinite()
    assert set(lit.sum(1).tolist()) == {1, 2, 3, 4}
    dx = scene.foreground.x[:, OWN] - scene.mass.x[:, None]
    dy = scene.foreground.y[:, OWN] - scene.mass.y[:, None]
    share = (torch.hypot(dx, dy) / theta_E.clamp(min=0.5))[lit]
    assert kstest(share, "uniform", (0.7, 1.8)).pvalue > 1e-3
    # The flat ones lie along the circle.
    flat = lit & (scene.foreground.q[:, OWN] < 0.39)
    turn = scene.foreground.phi[:, OWN][flat] - torch.atan2(dy, dx)[flat]
    assert torch.cos(2 * turn).mean() < -0.7


def test_blue_companions_are_brightened_as_sources_are():
    faint, bright = (only("blue_companions", brightening=value) for value in (0.0, 1.5))
    gain = magnitude(faint.foreground, OWN) - magnitude(bright.foreground, OWN)
    assert kstest(gain, "uniform", (0, 1.5)).pvalue > 1e-3
