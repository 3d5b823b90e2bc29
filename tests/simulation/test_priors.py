"""Priors: the marginals of LensPop's LSST lenses, and scenes that depend on (seed, index) alone."""

import json
import math
from dataclasses import replace
from importlib import resources

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp, kstest, poisson, spearmanr

from lensmill.simulation.counter import uniform
from lensmill.simulation.population import Population, companions
from lensmill.simulation.population.priors import Priors, draw_lensed_pairs
from lensmill.simulation.scene import Sersic
from lensmill.units import ellipticity_from_axis_ratio

COUNT = 4000
INDICES = torch.arange(COUNT)
LENSES = Priors(lens_fraction=1.0)
LIST = json.loads(
    resources.files("lensmill.simulation.population").joinpath("lsst_lenses.json").read_text()
)


@pytest.fixture(scope="module")
def lenses():
    return LENSES.draw(3, INDICES)


@pytest.fixture(scope="module")
def mixed():
    return Priors(lens_fraction=0.3).draw(3, INDICES)


def _tensors(part, prefix=""):
    """Every tensor of a scene by its name."""
    for name, value in vars(part).items():
        if isinstance(value, torch.Tensor):
            yield prefix + name, value
        elif value is not None:
            yield from _tensors(value, f"{prefix}{name}.")


def _distance(scene):
    """Source to mass, arcsec."""
    return torch.hypot(scene.source.x[:, 0] - scene.mass.x, scene.source.y[:, 0] - scene.mass.y)


def _of_the_list(scene):
    """The quantities of the list, each (lens,), read back from the scenes."""
    bulge, source = scene.foreground.magnitude[:, 0], scene.source.magnitude[:, 0]
    i_flux = 10 ** (-0.4 * scene.foreground.magnitude[:, :2, 2])
    pure = scene.foreground.magnitude[:, 1, 2].isinf()
    return {
        "z_lens": scene.redshift_lens,
        "z_source": scene.redshift_source,
        "ln_theta_E": scene.mass.theta_E.log(),
        "q_lens": scene.foreground.q[:, 0],
        "ln_radius_lens": scene.foreground.half_light_radius[pure, 0].log(),
        "i_lens": -2.5 * i_flux.sum(1).log10(),
        "g_minus_r_lens": bulge[:, 0] - bulge[:, 1],
        "r_minus_i_lens": bulge[:, 1] - bulge[:, 2],
        "beta_over_theta_E": _distance(scene) / scene.mass.theta_E,
        "q_source": scene.source.q[:, 0],
        "ln_radius_source": scene.source.half_light_radius[:, 0].log(),
        "i_source": source[:, 2],
        "g_minus_r_source": source[:, 0] - source[:, 1],
        "r_minus_i_source": source[:, 1] - source[:, 2],
    }


def test_priors_are_a_population():
    assert isinstance(LENSES, Population)
    assert LENSES.bands == ("g", "r", "i")


@pytest.mark.parametrize("chosen", [[5], [3, 5, 9], range(4, 17)])
def test_a_scene_depends_on_seed_and_index_alone(mixed, chosen):
    """To the bit, but for the rounding of the mass's ellipticity."""
    chosen = list(chosen)
    whole = dict(_tensors(mixed))
    for name, value in _tensors(Priors(lens_fraction=0.3).draw(3, torch.tensor(chosen))):
        expected = whole[name][chosen]
        assert torch.equal(value, expected), name


def test_another_seed_draws_other_scenes(mixed):
    other = Priors(lens_fraction=0.3).draw(4, INDICES[:50])
    assert not torch.isin(other.source.x, mixed.source.x).any()
    assert not torch.isin(other.mass.q, mixed.mass.q[:50]).any()


@pytest.mark.parametrize("name", LIST["marginals"])
def test_lenses_have_the_marginals_of_the_list(lenses, name):
    """The share of lenses below each quantile, to the 99.9 % point of Kolmogorov and Smirnov."""
    drawn = _of_the_list(lenses)[name].numpy()
    tolerance = 1.95 / math.sqrt(len(drawn))
    for level, quantile in zip(LIST["quantiles"], LIST["marginals"][name], strict=True):
        below, up_to = (np.mean(drawn < quantile + edge) for edge in (-1e-4, 1e-4))
        assert below - tolerance <= level <= up_to + tolerance


def test_pairs_have_the_rank_correlations_of_the_list():
    """Spearman's ρ of a Gaussian copula of correlation r is 6/π asin(r/2)."""
    pairs = draw_lensed_pairs(uniform(3, INDICES, 0, 14).numpy())
    assert list(pairs) == list(LIST["marginals"])
    found = spearmanr(np.stack(list(pairs.values()), 1)).statistic
    expected = 6 / np.pi * np.arcsin(np.array(LIST["correlation"]) / 2)
    assert np.abs(found - expected).max() < 0.06


@pytest.mark.parametrize("fraction", [0.0, 0.3, 1.0])
def test_lens_fraction(fraction):
    is_lens = Priors(lens_fraction=fraction, companions=0.0).draw(3, INDICES).is_lens.double()
    error = 4 * math.sqrt(fraction * (1 - fraction) / COUNT)
    assert abs(is_lens.mean().item() - fraction) <= error


def test_only_lenses_deflect(mixed):
    assert (mixed.mass.theta_E[~mixed.is_lens] == 0).all()
    assert (mixed.mass.theta_E[mixed.is_lens] > 0.3).all()


def test_a_non_lens_is_the_same_draw_without_deflection(lenses):
    without = dict(_tensors(Priors(lens_fraction=0.0, bright_fraction=0.0).draw(3, INDICES)))
    assert not without.pop("is_lens").any()
    assert not without.pop("mass.theta_E").any()
    for name, value in without.items():
        assert torch.equal(value, dict(_tensors(lenses))[name]), name


def test_bright_non_lenses_are_brighter_and_anywhere_within_two_and_a_half_theta_E(lenses):
    bright = Priors(lens_fraction=0.0, bright_fraction=1.0).draw(3, INDICES)
    gain = lenses.source.magnitude - bright.source.magnitude
    assert kstest(gain[:, 0, 2], "uniform", (0, 3)).pvalue > 1e-3
    torch.testing.assert_close(gain, gain[..., :1].expand(-1, -1, 3), rtol=0, atol=1e-5)
    share = (_distance(bright) / (2.5 * lenses.mass.theta_E)) ** 2
    assert kstest(share, "uniform").pvalue > 1e-3


def test_bright_fraction_is_of_the_non_lenses(lenses):
    half = Priors(lens_fraction=0.3, bright_fraction=0.5).draw(3, INDICES)
    bright = (half.source.magnitude != lenses.source.magnitude).any(-1)[:, 0]
    assert not bright[half.is_lens].any()
    others = bright[~half.is_lens].double()
    assert abs(others.mean().item() - 0.5) < 4 * 0.5 / math.sqrt(len(others))


def test_brightening_is_uniform(lenses):
    bright = replace(LENSES, brightening=1.5).draw(3, INDICES)
    gain = (lenses.source.magnitude - bright.source.magnitude)[:, 0, 1]
    assert kstest(gain, "uniform", (0, 1.5)).pvalue > 1e-3
    assert torch.equal(bright.source.x, lenses.source.x)


@pytest.mark.parametrize("scatter", [0.0, 0.04, 0.5])
def test_axis_ratios_are_at_least_a_fifth(scatter):
    mass = replace(LENSES, ellipticity_scatter=scatter).draw(3, INDICES).mass
    assert mass.q.min() >= 0.2
    assert mass.q.max() <= 1
    assert 0 <= mass.phi.min() <= mass.phi.max() <= torch.pi


def test_sources_are_no_flatter_than_the_lists(lenses):
    assert lenses.source.q.min() >= 0.2
    assert lenses.source.q.max() <= 1


def test_mass_scatters_about_the_light(lenses):
    light = ellipticity_from_axis_ratio(lenses.foreground.q[:, 0], lenses.foreground.phi[:, 0])
    mass = ellipticity_from_axis_ratio(lenses.mass.q, lenses.mass.phi)
    kept = lenses.mass.q > 0.21  # no flatter mass is drawn
    for ours, theirs in zip(mass, light, strict=True):
        assert kstest((ours - theirs)[kept] / 0.04, "norm").pvalue > 1e-3


def test_lens_galaxy_and_mass_share_a_scattered_centre(lenses):
    for axis in ("x", "y"):
        centre = getattr(lenses.mass, axis)
        assert kstest(centre / 0.05, "norm").pvalue > 1e-3
        for component in (0, 1):
            assert torch.equal(getattr(lenses.foreground, axis)[:, component], centre)


def test_sources_lie_in_every_direction(lenses):
    dx, dy = lenses.source.x[:, 0] - lenses.mass.x, lenses.source.y[:, 0] - lenses.mass.y
    angle = torch.atan2(dy, dx)
    assert kstest(angle, "uniform", (-math.pi, 2 * math.pi)).pvalue > 1e-3
    turn = torch.remainder(angle - lenses.mass.phi, math.pi)
    assert kstest(turn, "uniform", (0, math.pi)).pvalue > 1e-3


def test_lens_sources_lie_within_their_einstein_radius(lenses):
    assert (_distance(lenses) <= 1.001 * lenses.mass.theta_E).all()


def test_lens_galaxies_are_bulge_and_disk(lenses):
    """Half are pure bulges; disks are flatter, larger and bluer than their bulges."""
    galaxy = lenses.foreground
    assert torch.equal(galaxy.index[:, :2], torch.tensor([4.0, 1.0]).expand(COUNT, 2))
    assert torch.equal(galaxy.phi[:, 0], galaxy.phi[:, 1])
    with_disk = galaxy.magnitude[:, 1].isfinite().all(-1)
    assert abs(with_disk.double().mean().item() - 0.5) < 4 * 0.5 / math.sqrt(COUNT)
    bulge, disk = (
        Sersic(*(value[with_disk, component] for value in vars(galaxy).values()))
        for component in (0, 1)
    )
    assert (disk.half_light_radius > bulge.half_light_radius).all()
    assert (disk.q <= bulge.q).all()
    for first, second in ((0, 1), (1, 2)):
        colour = disk.magnitude[:, first] - disk.magnitude[:, second]
        assert (colour < bulge.magnitude[:, first] - bulge.magnitude[:, second]).all()


def _companions(mean, field=8.0):
    """All slots of each stamp, and which of them hold a companion."""
    drawn = companions.draw_companions(3, INDICES, mean, field)
    return drawn, drawn.magnitude.isfinite().all(-1)


@pytest.mark.parametrize("mean", [0.0, 0.3, 2.0])
def test_companions_are_poisson_up_to_their_slots(mean):
    count = _companions(mean)[1].sum(1).double()
    numbers = np.arange(companions.SLOTS + 1)
    share = np.append(poisson.pmf(numbers[:-1], mean), poisson.sf(numbers[-2], mean))
    expected = numbers @ share
    spread = math.sqrt(numbers**2 @ share - expected**2)
    assert abs(count.mean().item() - expected) <= 4 * spread / math.sqrt(COUNT)


def test_companions_are_spread_evenly_over_the_field():
    drawn, present = _companions(2.0, field=5.0)
    for position in (drawn.x[present], drawn.y[present]):
        assert kstest(position, "uniform", (-5, 10)).pvalue > 1e-3


def test_companions_are_counted_as_galaxies_are():
    """N(<m) ∝ 10^(0.3 m) between the brightest and the faintest."""
    drawn, present = _companions(2.0)
    low, high = (10 ** (0.3 * each) for each in (companions.BRIGHT, companions.FAINT))
    share = (10 ** (0.3 * drawn.magnitude[present][:, 2].double()) - low) / (high - low)
    assert kstest(share, "uniform").pvalue > 1e-3


def test_companions_lie_and_point_anywhere_whatever_their_brightness():
    drawn, present = _companions(2.0)
    numbers = [drawn.x, drawn.y, drawn.phi, drawn.magnitude[..., 2]]
    found = spearmanr(torch.stack([each[present] for each in numbers], 1).numpy()).statistic
    assert np.abs(found - np.eye(4)).max() < 4 / math.sqrt(present.sum().item())


def test_companions_are_flat_or_round_whatever_their_profile():
    drawn, present = _companions(2.0)
    galaxy = present & (drawn.half_light_radius > 0.02)
    bulge = galaxy & (drawn.index == 4)
    disk = galaxy & (drawn.index == 1)
    assert ks_2samp(drawn.q[bulge], drawn.q[disk]).pvalue > 1e-3


def test_some_companions_are_stars():
    """Round, and far below any pixel."""
    drawn, present = _companions(2.0)
    star = drawn.half_light_radius[present] < 0.02
    error = 4 * math.sqrt(0.15 * 0.85 / len(star))
    assert abs(star.double().mean().item() - companions.STAR_FRACTION) < error
    assert (drawn.q[present][star] == 1).all()
    assert (drawn.q[present][~star] >= 0.3).all()


def test_scenes_hold_their_companions(lenses):
    drawn = companions.draw_companions(3, INDICES, LENSES.companions, LENSES.field)
    for name, value in vars(drawn).items():
        assert torch.equal(getattr(lenses.foreground, name)[:, 2:], value)


def test_some_non_lenses_have_nothing_behind_them():
    drawn = Priors(empty_fraction=0.3).draw(3, INDICES)
    empty = torch.isinf(drawn.source.magnitude[:, 0, 0])
    assert not (empty & drawn.is_lens).any()
    share = empty[~drawn.is_lens].double().mean().item()
    assert abs(share - 0.3) < 4 * math.sqrt(0.21 / (~drawn.is_lens).sum().item())


def test_satellites_gather_around_the_lens():
    drawn = companions.draw_companions(3, INDICES, 3.0, 8.0, satellites=1.0)
    place = torch.stack([drawn.x, drawn.y]).flatten() / companions.HALO
    assert kstest(place.double(), "norm").pvalue > 1e-3


@pytest.mark.parametrize(
    "name", ["lens_fraction", "bright_fraction", "empty_fraction", "satellites"]
)
@pytest.mark.parametrize("value", [-0.1, 50])
def test_a_share_that_is_none_is_named(name, value):
    with pytest.raises(ValueError, match=f"{name}: a share, from 0 to 1, not {value}"):
        Priors(**{name: value})
