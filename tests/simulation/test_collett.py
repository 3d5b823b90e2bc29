"""Collett 2015: pairs by cross-section, the galaxies behind, what is detected."""

import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from scipy.special import ndtr
from scipy.stats import ks_2samp, kstest

from lensmill.physics.cosmology import comoving_distance, einstein_radius
from lensmill.physics.surveys import LENSPOP_COADD
from lensmill.simulation.population import background, deflectors, detection, pairs, tracing
from lensmill.simulation.population.collett import Collett
from lensmill.simulation.population.detection import Rules
from lensmill.simulation.population.rows import chosen_rows

RULES = Rules(LENSPOP_COADD)


@pytest.fixture(scope="module")
def drawn():
    u = np.random.default_rng(4).random((60_000, pairs.UNIFORMS))
    kept = pairs.chosen(u[:, : pairs.CHOICE])
    return pairs.draw_pairs(u[kept]), kept.mean()


@pytest.fixture(scope="module")
def scenes():
    return Collett().draw(2, torch.arange(24))


def test_the_whole_sky_holds_as_many_pairs_as_published(drawn):
    """Collett 2015: 12.5 million ideal lenses."""
    assert pairs.draws_on_the_whole_sky() * drawn[1] == pytest.approx(12.5e6, rel=0.1)


def test_sources_lie_within_the_einstein_radius(drawn):
    pair, _ = drawn
    radius = np.hypot(pair.x, pair.y) / pair.theta_E
    assert kstest(radius**2, "uniform").pvalue > 1e-3
    assert kstest(np.arctan2(pair.y, pair.x) / (2 * math.pi) + 0.5, "uniform").pvalue > 1e-3
    expected = einstein_radius(pair.velocity_dispersion, pair.z_lens, pair.source.redshift)
    np.testing.assert_allclose(pair.theta_E, expected)


def test_weights_are_those_of_drawing_everything(drawn):
    """Deflectors uniform in volume and by φ(σ), sources as they lie, each pair weighted by θ_E²."""
    generator = np.random.default_rng(5)
    count = 400_000
    far = float(comoving_distance(np.asarray(deflectors.FARTHEST)))
    z_table = np.linspace(0, deflectors.FARTHEST, 4001)
    z_lens = np.interp(
        far * generator.random(count) ** (1 / 3), comoving_distance(z_table), z_table
    )
    sigma = generator.uniform(deflectors.SLOWEST, deflectors.FASTEST, count)
    source = pairs.FITTED.draw(generator.random((count, background.UNIFORMS)))
    theta_E = einstein_radius(sigma, z_lens, source.redshift)
    weight = deflectors.velocity_dispersion_function(sigma) * theta_E**2
    chosen = generator.choice(count, 20_000, p=weight / weight.sum())
    pair, _ = drawn
    for ours, theirs in (
        (pair.z_lens, z_lens),
        (pair.source.redshift, source.redshift),
        (pair.velocity_dispersion, sigma),
        (pair.theta_E, theta_E),
        (pair.source.i, source.i),
    ):
        assert ks_2samp(ours, theirs[chosen]).statistic < 0.03  # the choice has repetitions


def test_the_choice_sees_the_redshifts_that_are_drawn():
    u = np.random.default_rng(3).random((5000, background.UNIFORMS))
    redshift = pairs.FITTED.redshifts(u[:, :2])
    np.testing.assert_allclose(redshift, pairs.FITTED.draw(u).redshift, rtol=1e-12)


def _catalogue(folder, count=400):
    u = np.random.default_rng(9).random((count, background.UNIFORMS))
    columns = ("z", "absmag", "g", "r", "i")
    values = np.stack(pairs.FITTED.photometry(u[:, :6]), 1)
    path = folder / "galaxies.csv"
    np.savetxt(path, values, delimiter=",", header=",".join(columns), comments="")
    return {"table": str(path), "columns": {"redshift": "z", "absolute_magnitude": "absmag"}}


def test_sources_of_a_catalogue_are_its_rows(tmp_path):
    sources = _catalogue(tmp_path)
    population = Collett(sources=sources)
    drawn = population.pairs(2, torch.arange(30))
    rows = population.behind.rows
    assert np.isin(drawn["i_source"], rows["i"]).all()
    np.testing.assert_array_equal(
        rows["redshift"][[list(rows["i"]).index(i) for i in drawn["i_source"]]], drawn["z_source"]
    )
    assert len(np.unique(drawn["i_source"])) > 15
    assert population.behind.per_arcsec2 == pytest.approx(400 / 3600**2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colums": {}}, "sources: no key 'colums'; choices: table, columns"),
        ({"columns": {"redshift": "zz"}}, "no column 'zz'; did you mean 'z'"),
        ({"table": "nowhere.csv"}, r"no table nowhere\.csv"),
    ],
)
def test_a_catalogue_that_cannot_be_used_is_refused(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        Collett(sources={**_catalogue(tmp_path), **change})
    with pytest.raises(ValueError, match="rules: no key 'seing'; choices: seeing"):
        Collett(rules={"seing": 1.0})


def test_rules_that_nothing_obeys_end_with_an_error():
    with pytest.raises(ValueError, match=r"rules: no lens among .* too strict"):
        Collett(rules={"signal_to_noise": 1e9}).pairs(1, torch.arange(2))


def test_galaxies_follow_the_size_law():
    u = np.random.default_rng(6).random((20_000, background.UNIFORMS))
    u[:, 6] = 0.5
    galaxies = pairs.FITTED.draw(u)
    assert galaxies.r.max() <= 28
    one = background.half_light_radius_kpc(
        np.array([-18.0, -22.0]), np.array([0.6, 0.6]), np.full(2, 0.5)
    )
    np.testing.assert_allclose(one, [1.0, 10.0])
    assert 0.02 < np.median(galaxies.half_light_radius) < 0.5
    assert galaxies.q.min() > 0.2


def _one(**changes):
    """A round lens of 1″ with a compact source 0.2″ off."""
    source = background.Galaxies(*(np.array([v]) for v in (2.0, 25.0, 25.0, 25.0, 0.02, 1.0)))
    names = [f.name for f in fields(pairs.Pairs) if f.name != "source"]
    values = dict(zip(names, (0.5, 250.0, 1.0, 1.0, 0.2, 0.0, 0.0), strict=True)) | changes
    columns = {name: np.array([value]) for name, value in values.items()}
    return pairs.Pairs(source=source, **columns)


@pytest.mark.parametrize("beta", [0.2, 0.5, 0.8])
def test_traced_magnification_of_a_circular_lens(beta):
    """Of a point: 2/β within θ_E, 1 + 1/β beyond; over the source, and over directions."""
    radius = 0.1
    axis = (np.arange(1200) + 0.5) / 500 - 1.2
    light = np.exp(-1.678 * np.hypot(axis - beta, axis[:, None]) / radius)
    offset = np.hypot(axis, axis[:, None])
    expected = (light * np.where(offset < 1, 2 / offset, 1 + 1 / offset)).sum() / light.sum()
    flux = []
    for angle in np.linspace(0, math.pi / 2, 9):
        pair = _one(x=beta * math.cos(angle), y=beta * math.sin(angle))
        pair = replace(pair, source=replace(pair.source, half_light_radius=np.array([radius])))
        flux.append(tracing.traced(pair).flux.sum().item())
    assert np.mean(flux) == pytest.approx(expected, rel=0.03)


def test_blur_conserves_flux_and_widens():
    image = torch.zeros(1, 48, 48)
    image[0, 20, 25] = 1.0
    blurred = tracing.blurred(image, torch.tensor([0.1]), torch.tensor([0.7]))
    assert blurred.sum().item() == pytest.approx(1.0, abs=1e-4)
    assert 0 < blurred.max() < 0.1


def test_cumulative_snr_is_that_of_the_best_cells():
    signal = torch.tensor([[[3.0, 1.0], [0.0, 0.0]]])
    snr = tracing.cumulative_snr(signal, torch.ones(1, 2, 2))
    assert snr.item() == pytest.approx(max(3.0, 4 / math.sqrt(2)))


def _many(count, **changes):
    """The lens of `_one`, `count` times, and the random numbers of its visits."""
    pair = chosen_rows(_one(**changes), np.zeros(count, dtype=np.int64))
    return pair, np.random.default_rng(7).random((count, RULES.uniforms))


def test_the_coadd_takes_the_visits_that_resolve_the_ring():
    shares = []
    for radius in (0.4, 0.7, 1.2):
        pair, u = _many(2000, theta_E=radius)
        coadd = RULES.coadd(pair, np.full(2000, 1e3), u[:, 1:])
        share, seeing = coadd.share, coadd.seeing
        limit = detection.resolving(pair.theta_E, pair.source.half_light_radius, 2)
        assert (seeing[share > 0] <= np.repeat(limit[:, None], 3, 1)[share > 0] + 1e-9).all()
        below = ndtr(np.log(limit[0] / np.array(RULES.seeing)) / RULES.seeing_scatter)
        np.testing.assert_allclose(share.mean(0), below, atol=0.01)
        shares.append(share.mean())
    assert shares == sorted(shares)


def test_the_worst_of_many_visits_is_worse():
    """The coadd's seeing is distributed as the largest of as many draws."""
    pair, u = _many(4000, theta_E=0.8)
    coadd = RULES.coadd(pair, np.full(4000, 1e3), u[:, 1:])
    share, seeing = coadd.share, coadd.seeing
    generator = np.random.default_rng(8)
    limit = math.sqrt(2 * (0.8**2 - 0.02**2))
    visits = RULES.seeing[1] * np.exp(RULES.seeing_scatter * generator.normal(size=(4000, 100)))
    worst = np.where(visits < limit, visits, 0).max(1)
    assert ks_2samp(seeing[share[:, 1] > 0, 1], worst[worst > 0]).statistic < 0.04


def test_arcs_must_be_larger_than_the_seeing():
    """μ r_s limits the visits as θ_E does."""
    pair, u = _many(50, theta_E=1.5)
    few, many = (RULES.coadd(pair, np.full(50, mu), u[:, 1:]).share for mu in (25.0, 60.0))
    assert few.mean() < 0.1 < 0.9 < many.mean()


def test_a_first_look_drops_rings_that_some_visit_would_leave_unresolved():
    """2 θ_E² − 4 r_s² and 2 θ_E² − 2 r_s² far apart, and visits between them in every band."""
    for radius, expected in ((0.02, 1.0), (0.45, 0.0)):
        pair, u = _many(500, theta_E=0.8)
        galaxy = replace(pair.source, half_light_radius=np.full(500, radius))
        share = RULES.may_pass(replace(pair, source=galaxy), u[:, 0]).mean()
        assert share == pytest.approx(expected, abs=0.1)


def test_no_candidates_at_all():
    pair, u = _many(0)
    seen, magnification = RULES.passes(pair, np.zeros((0, 3)), np.zeros(0), u)
    assert seen.shape == magnification.shape == (0,)


def test_faint_or_unmagnified_sources_are_not_detected():
    bright = np.full((1, 3), 19.0)
    radius = np.array([0.8])
    for source_i, x, expected in ((24.0, 0.2, True), (28.0, 0.2, False), (24.0, 0.9, False)):
        pair = _one(x=x)
        galaxy = replace(pair.source, half_light_radius=np.array([0.2]))
        galaxy = replace(galaxy, **{band: np.array([source_i]) for band in "gri"})
        visits = np.full((1, RULES.uniforms), 0.5)
        seen, _ = RULES.passes(replace(pair, source=galaxy), bright, radius, visits)
        assert seen[0] == expected


def test_a_scene_is_a_function_of_seed_and_index(scenes):
    chosen = Collett().draw(2, torch.tensor([17, 4]))
    assert torch.equal(chosen.source.x, scenes.source.x[[17, 4]])
    assert torch.equal(chosen.mass.theta_E, scenes.mass.theta_E[[17, 4]])
    assert torch.equal(chosen.foreground.magnitude, scenes.foreground.magnitude[[17, 4]])
    assert not torch.equal(Collett().draw(3, torch.tensor([17, 4])).source.x, chosen.source.x)


def test_scenes_are_half_lenses_of_a_plausible_size(scenes):
    lens = scenes.is_lens
    assert 4 < lens.sum() < 20
    assert (scenes.mass.theta_E[~lens] == 0).all()
    assert ((scenes.mass.theta_E[lens] > 0.3) & (scenes.mass.theta_E[lens] < 4)).all()
