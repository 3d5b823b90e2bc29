"""Light: one component or bulge and disk, with the magnitudes and the flatness of the pair."""

import numpy as np
import pytest
import torch

from lensmill.simulation.population import cosmodc2
from lensmill.simulation.population.light import magnitudes
from lensmill.simulation.population.lights import LENS, SOURCE
from lensmill.simulation.population.priors import Priors

COUNT = 4000
INDICES = torch.arange(COUNT)
PAIR = Priors().pairs(3, INDICES)
MODELS = [("lens", name) for name in LENS] + [("source", name) for name in SOURCE]


def _light(role, name, seed=3, indices=INDICES):
    return {"lens": LENS, "source": SOURCE}[role][name](Priors().pairs(3, indices), seed, indices)


def _bulge_share(light, band=1):
    flux = 10 ** (-0.4 * light.magnitude[:, :, band])
    return flux[:, 0] / flux.sum(1)


@pytest.mark.parametrize(("role", "name"), MODELS)
def test_the_total_magnitudes_are_the_pairs(role, name):
    flux = 10 ** (-0.4 * _light(role, name).magnitude)
    if name == "mixed":  # the bulge fraction is the i band's; disks are bluer, so it brightens g, r
        flux = flux[..., 2:]
    expected = 10 ** (-0.4 * magnitudes(PAIR, role))[:, -flux.shape[2] :]
    np.testing.assert_allclose(flux.sum(1), expected, rtol=1e-9)


@pytest.mark.parametrize(("role", "name"), MODELS)
def test_light_depends_on_seed_and_index_alone(role, name):
    chosen = torch.tensor([4, 700, 33])
    whole, few = _light(role, name), _light(role, name, indices=chosen)
    for field in ("magnitude", "half_light_radius", "q"):
        expected = getattr(whole, field)[chosen.numpy()]
        np.testing.assert_allclose(getattr(few, field), expected, rtol=1e-12)


@pytest.mark.parametrize("role", ["lens", "source"])
def test_cosmodc2_light_is_as_flat_as_the_pair(role):
    """ε weighted with flux in r is the pair's, wherever neither part is cut at the flattest."""
    light = _light(role, "cosmodc2")
    epsilon = (1 - light.q**2) / (1 + light.q**2)
    share = _bulge_share(light)
    total = share * epsilon[:, 0] + (1 - share) * epsilon[:, 1]
    expected = (1 - PAIR[f"q_{role}"] ** 2) / (1 + PAIR[f"q_{role}"] ** 2)
    whole = light.q.min(1) > cosmodc2.FLATTEST
    assert whole.mean() > 0.95
    np.testing.assert_allclose(total[whole], expected[whole], atol=2e-3)
    assert (light.q <= 1).all()
    pure = share == 1
    np.testing.assert_allclose(light.q[pure, 0], PAIR[f"q_{role}"][pure], atol=1e-6)


@pytest.mark.parametrize("role", ["lens", "source"])
def test_cosmodc2_bulges_are_rounder_and_redder_than_their_disks(role):
    light = _light(role, "cosmodc2", indices=torch.arange(5 * COUNT))  # few lenses have both
    share = _bulge_share(light)
    both = (share > 0.02) & (share < 0.98)
    assert both.sum() > 200
    assert np.mean(light.q[both, 0] > light.q[both, 1]) > 0.9
    colour = light.magnitude[both][..., :-1] - light.magnitude[both][..., 1:]
    assert (np.median(colour[:, 0] - colour[:, 1], axis=0) > 0.1).all()


def test_a_cosmodc2_source_keeps_the_pairs_radius_for_its_disk():
    light = _light("source", "cosmodc2")
    np.testing.assert_allclose(light.half_light_radius[:, 1], np.exp(PAIR["ln_radius_source"]))


def test_sizes_scatter_about_the_relation_of_cosmodc2():
    """Semi-major axes of both parts, by one normal score."""
    light = _light("lens", "cosmodc2")
    m = magnitudes(PAIR, "lens")
    absolute, _ = cosmodc2.rest_frame(m[:, 0], m[:, 2], PAIR["z_lens"])
    kpc = light.half_light_radius / np.sqrt(light.q)
    kpc = kpc * cosmodc2.kpc_per_arcsec(PAIR["z_lens"])[:, None]
    for part, size in zip((cosmodc2.BULGE, cosmodc2.DISK), kpc.T, strict=True):
        median = cosmodc2.semi_major_axis_kpc(absolute, PAIR["z_lens"], part)
        score = np.log10(size / median) / part.scatter
        assert abs(score.mean()) < 4 / np.sqrt(COUNT)
        assert score.std() == pytest.approx(1, abs=0.08)


def test_luminous_red_galaxies_are_bulges_and_faint_ones_mostly_disks():
    u = np.random.default_rng(1).random((4000, 2))
    m, z, c = (np.full(4000, value) for value in (-23.0, 0.5, 0.7))
    assert np.mean(cosmodc2.bulge_fraction(m, z, c, u) > 0.9) > 0.85
    assert np.mean(cosmodc2.bulge_fraction(m + 6, z, c - 0.4, u) < 0.1) > 0.5


@pytest.mark.parametrize(("lens", "source"), [("de_vaucouleurs", "exponential"), ("cosmodc2",) * 2])
def test_scenes_of_any_light_are_finite_but_for_what_is_not_there(lens, source):
    population = Priors(lens_light=lens, source_light=source, empty_fraction=0.5, lens_fraction=0.3)
    scene = population.draw(3, INDICES)
    components = 1 if lens == "de_vaucouleurs" else 2
    assert scene.foreground.index[0, :components].tolist() == [4.0, 1.0][:components]
    assert scene.source.index[0].tolist() == ([1.0] if source == "exponential" else [4.0, 1.0])
    for light in (scene.foreground, scene.source):
        assert not light.magnitude.isnan().any()
        shapes = (light.half_light_radius, light.q, light.phi, light.x, light.y)
        assert all(each.isfinite().all() for each in shapes)
    empty = scene.source.magnitude.isinf().all((1, 2))
    assert 0.2 < empty.double().mean() < 0.5


def test_brightness_that_is_added_does_not_change_what_a_galaxy_is():
    """Only non-lenses are brightened by 3 mag: their bulges must not tell them apart."""
    options = {"source_light": "cosmodc2", "empty_fraction": 0.2}
    scenes = (Priors(bright_fraction=b, brightening=2 * b, **options) for b in (0.0, 1.0))
    plain, bright = (scene.draw(3, INDICES).source for scene in scenes)
    for name in ("half_light_radius", "q"):
        assert torch.equal(getattr(plain, name), getattr(bright, name))
    lit = plain.magnitude.isfinite().any(1).all(1)
    share = [_bulge_share_of(each.magnitude[lit]) for each in (plain, bright)]
    torch.testing.assert_close(*share, rtol=0, atol=1e-5)
    assert (plain.magnitude - bright.magnitude)[lit].nan_to_num(nan=1.0).mean() > 1


def _bulge_share_of(magnitude):
    flux = 10 ** (-0.4 * magnitude.double())
    return flux[:, 0] / flux.sum(1)


def test_an_unknown_light_names_the_choices():
    with pytest.raises(ValueError, match=r"lens_light: no light 'sersic'.*de_vaucouleurs"):
        Priors(lens_light="sersic").draw(3, INDICES[:3])
