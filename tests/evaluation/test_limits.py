"""The information limit: its parts against their definitions, and a fit that reaches it."""

import json
from dataclasses import replace
from importlib import resources

import limits as benchmark
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from lensmill.evaluation.information import Bound, Jacobian, Telescope, jacobian
from lensmill.evaluation.limits import PICTURES, distances, image_limits, limits
from lensmill.evaluation.metrics import error_rms, linear_psnr
from lensmill.evaluation.parameters import (
    MASS,
    Ensemble,
    Prior,
    in_double,
    scene_of,
    shining,
    values_of,
)
from lensmill.grid import Grid
from lensmill.physics.surveys import LSST_10YEAR
from lensmill.simulation.observing import Observing
from lensmill.simulation.population.priors import Priors
from lensmill.simulation.rendering import Sampling
from lensmill.simulation.scene import selected
from lensmill.simulation.shards import FIRST_INDEX
from lensmill.simulation.simulator import Simulator
from lensmill.training.recipe import parse_recipe

SEED = 5
COMMON = {"brightening": 3.0, "bright_fraction": 0.0}
PLAIN = Priors(companions=0.0, lens_light="de_vaucouleurs", **COMMON)
RICH = Priors(companions=2.0, slope_scatter=0.1, shear_scatter=0.05, **COMMON)
GRID = Grid((33, 38), 0.2)
SMALL = Grid((24, 29), 0.2)


def drawn(population, count=6):
    """Scenes and a telescope in float64."""
    simulator = Simulator(population, Observing(LSST_10YEAR, (0.5, 0.7)), GRID)
    scene, conditions = map(in_double, simulator.draw(SEED, torch.arange(count)))
    return scene, Telescope(conditions, GRID, simulator.fineness)


@pytest.mark.parametrize("population", [PLAIN, RICH, Priors(impostors={"spiral": 0.5})])
def test_parameters_are_the_scene(population):
    scene, telescope = drawn(population)
    assert not scene.is_lens.all()
    for image, again in zip(
        telescope.images(scene), telescope.images(scene_of(values_of(scene), scene)), strict=True
    ):
        torch.testing.assert_close(again, image, rtol=1e-7, atol=1e-6)


@pytest.mark.parametrize(
    ("first", "last", "sampling"),
    [
        (0, 8, Sampling(1, cells=10**6, levels=())),
        (16, 32, Sampling()),
        (48, 56, Sampling(1, cells=10**6, levels=())),
    ],
    ids=["mass", "disk and star", "source"],
)
def test_derivatives_are_differences(first, last, sampling):
    """Of lenses with slope, shear, and a round star beside them.

    Mass and source with every cell refined alike: else which are could change with the parameters.
    """
    scene, telescope = drawn(RICH, 12)
    rows = (scene.is_lens & shining(scene)[:, 3]).nonzero()[:2, 0]
    assert len(rows) == 2
    scene = selected(scene, rows)
    telescope = Telescope(selected(telescope.conditions, rows), SMALL, sampling)
    scene = replace(scene, foreground=replace(scene.foreground, q=scene.foreground.q.clone()))
    scene.foreground.q[:, 2] = 1.0
    free = torch.arange(first, last)
    change = jacobian(scene, telescope, free)
    copies = torch.arange(2).repeat_interleave(len(free))
    step = torch.zeros(len(copies), values_of(scene).shape[1], dtype=torch.float64)
    step[torch.arange(len(copies)), free.repeat(2)] = 1e-3
    like = selected(scene, copies)
    many = replace(telescope, conditions=selected(telescope.conditions, copies))
    images = [many.images(scene_of(values_of(like) + each, like)) for each in (step, -step)]
    for above, below, exact in zip(*images, (change.clean, change.source), strict=True):
        difference = ((above - below) / 2e-3).flatten(1)
        off = (difference - exact.flatten(0, 1).flatten(1)).norm(dim=1)
        assert (off <= 2e-3 * difference.norm(dim=1) + 1e-3).all()


def test_the_simulators_sampling_is_fine_enough():
    scene, telescope = drawn(PLAIN)
    rows = scene.is_lens.nonzero()[:2, 0]
    scene, conditions = selected(scene, rows), selected(telescope.conditions, rows)
    prior = Ensemble.of(PLAIN, SEED, torch.arange(2000)).prior(selected(scene, torch.tensor([0])))
    sigmas = []
    for sampling in (telescope.sampling, Sampling(3, cells=2048)):
        seen = Telescope(conditions, GRID, sampling)
        variance = seen.variance(seen.images(scene)[0])
        sigmas.append(Bound.of(jacobian(scene, seen, prior.free), variance, prior).sigma())
    torch.testing.assert_close(*sigmas, rtol=0.05, atol=0)


def test_a_prior_has_the_moments_of_the_draws():
    ensemble = Ensemble.of(PLAIN, SEED, torch.arange(2000))
    scene, _ = drawn(PLAIN)
    lens = selected(scene, scene.is_lens.nonzero()[:1, 0])
    prior = ensemble.prior(lens)
    covariance = torch.cov(ensemble.values[ensemble.kind[:, 0]][:, prior.free].mT)
    torch.testing.assert_close(prior.root @ prior.root.mT, covariance, rtol=1e-4, atol=1e-7)
    no_lens = ensemble.prior(selected(scene, (~scene.is_lens).nonzero()[:1, 0]))
    assert int(no_lens.free.min()) >= len(MASS)


def test_what_the_population_ties_stays_tied():
    """The mass follows the light, and nobody knows the one without the other."""
    tied = replace(PLAIN, ellipticity_scatter=0.0, centre_scatter=0.0)
    scene, _ = drawn(tied)
    lens = selected(scene, scene.is_lens.nonzero()[:1, 0])
    prior = Ensemble.of(tied, SEED, torch.arange(2000)).prior(lens)
    free = prior.free.tolist()
    light = len(MASS) + 4  # e1 of the lens galaxy, after three fluxes and a radius
    for k in (0, 1):
        mass, own = prior.root[free.index(1 + k)], prior.root[free.index(light + k)]
        torch.testing.assert_close(mass, own, rtol=1e-4, atol=1e-4)  # but for q < 0.2
    assert not {3, 4, 5, 6, 7} & set(free)  # a place that is always the same is known


def test_companions_are_free_and_independent():
    ensemble = Ensemble.of(RICH, SEED, torch.arange(4000))
    scene, _ = drawn(RICH, 12)
    row = shining(scene)[:, 3:6].any(1).nonzero()[:1, 0]
    prior = ensemble.prior(selected(scene, row))
    beside = prior.free >= len(MASS) + 2 * 8
    beside &= prior.free < len(MASS) + 5 * 8
    assert beside.any()
    assert (prior.root[beside][:, (prior.root[~beside] != 0).any(0)] == 0).all()


def test_a_kind_that_is_too_rare_has_no_prior():
    scene, _ = drawn(PLAIN)
    few = Ensemble.of(PLAIN, SEED, torch.arange(20))
    assert few.prior(selected(scene, torch.tensor([0]))) is None


def random_problem():
    generator = torch.Generator().manual_seed(0)
    normal = torch.randn(2, 4, 3, 6, 5, generator=generator, dtype=torch.float64)
    variance = 1 + torch.rand(2, 3, 6, 5, generator=generator, dtype=torch.float64)
    root = torch.randn(4, 4, generator=generator, dtype=torch.float64)
    return Jacobian(normal, normal.flip(1)), variance, Prior(torch.arange(4), root)


def test_the_bound_is_the_inverse_of_information_and_precision():
    change, variance, prior = random_problem()
    bound = Bound.of(change, variance, prior)
    flat = change.clean.flatten(2)
    information = (flat * (1 / variance + 0.5 / variance**2).flatten(1)[:, None]) @ flat.mT
    expected = torch.linalg.inv(information + torch.linalg.inv(prior.root @ prior.root.mT))
    torch.testing.assert_close(bound.root @ bound.root.mT, expected)
    torch.testing.assert_close(bound.sigma(), expected.diagonal(dim1=1, dim2=2).sqrt())
    for image, derivative in ((bound.clean, change.clean), (bound.source, change.source)):
        j = derivative.flatten(2).mT
        wanted = (j @ expected * j).sum(-1)
        torch.testing.assert_close(image.flatten(2).square().sum(1), wanted)


def test_without_light_only_the_prior_is_left():
    change, variance, prior = random_problem()
    bound = Bound.of(change, 1e20 * variance, prior)
    torch.testing.assert_close(bound.sigma()[1], prior.root.square().sum(1).sqrt())


def test_psnr_is_the_mean_of_images_not_that_of_the_mean_error():
    """Of an image that is uncertain in one direction alone: each is off by a multiple of that."""
    generator = torch.Generator().manual_seed(0)
    image = 50 * torch.randn(1, 2, 6, 5, generator=generator, dtype=torch.float64)
    root = torch.randn(1, 1, 2, 6, 5, generator=generator, dtype=torch.float64)
    noise = torch.randn(PICTURES, 1, generator=generator, dtype=torch.float64)
    sky = torch.tensor([[2.0, 3.0]])
    names = ("denoised", "denoised")
    found = image_limits("clean", names, image, root, {"sky_sigma": sky}, noise)
    off = image + root[:, 0]
    assert found["clean_error_limit"] == pytest.approx(float(error_rms(off, image, sky)))
    more = float(-20 * noise.abs().log10().mean())
    assert found["psnr_denoised_limit"] == pytest.approx(float(linear_psnr(off, image, sky)) + more)


def test_a_fit_reaches_the_limit():
    """Ten realisations of a bright lens: thirty parameters, and images of seventeen directions."""
    simulator = Simulator(PLAIN, Observing(LSST_10YEAR, (0.5, 0.7)), GRID)
    indices = torch.arange(40)
    scenes, conditions = simulator.draw(SEED, indices)
    snr = simulator.image(scenes, conditions, SEED, indices)["source_snr"]
    row = torch.where(scenes.is_lens, snr, 0).argmax().expand(10)
    ensemble = Ensemble.of(simulator.population, SEED, torch.arange(3000))
    fits = benchmark.fitted(
        selected(scenes, row), selected(conditions, row), ensemble, simulator, steps=2
    )
    assert float(fits.parameters.square().mean().sqrt()) == pytest.approx(1, abs=0.35)
    assert float(fits.clean.mean()) == pytest.approx(1, abs=0.25)
    assert float(fits.source.mean()) == pytest.approx(1, abs=0.3)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Summary and table of a few systems."""
    text = resources.files("lensmill.recipes").joinpath("smoke.toml").read_text(encoding="utf-8")
    recipe, out, lines = parse_recipe(text), tmp_path_factory.mktemp("limits"), []
    summary = limits(recipe, out, count=5, batch=3, report=lambda *line: lines.append(line))
    assert lines[-1] == (1.0, "5 of 5 systems")
    columns = pq.read_table(out / "limits.parquet").to_pydict()
    assert json.loads((out / "limits.json").read_text()) == summary
    return summary, {name: np.array(column) for name, column in columns.items()}


def test_a_row_for_each_system_of_the_evaluation(written):
    _, table = written
    assert table["index"].tolist() == [FIRST_INDEX["test"] + k for k in range(5)]
    assert (np.isfinite(table["sigma_ln_theta_E_limit"]) == table["is_lens"]).all()
    assert 0 < np.count_nonzero(table["is_lens"]) < 5
    assert (table["clean_error_limit"] < 0.5).all()  # of what noise alone leaves


def test_the_summary_says_how_many(written):
    summary, table = written
    median = summary["sigma_ln_theta_E_limit_median"]
    assert median["n"] == np.count_nonzero(table["is_lens"])
    assert median["value"] == pytest.approx(np.nanmedian(table["sigma_ln_theta_E_limit"]))
    strata = [each["clean_error_limit_mean"]["n"] for each in summary["strata"].values() if each]
    assert sum(strata) == 5


def test_limits_of_other_systems_are_refused(written):
    _, best = written
    other = {**best, "source_snr": best["source_snr"] + 1}
    with pytest.raises(ValueError, match="of different systems"):
        distances(other, best)


def test_distances_by_hand(written):
    _, best = written
    rows = np.array([4, 1, 2])
    chain = {name: best[name][rows] for name in ("index", "is_lens")}
    chain |= {"theta_E": np.full(3, 2.0), "theta_E_50": np.full(3, 2.2)}
    chain |= {"theta_E_16": np.full(3, 2.0), "theta_E_84": np.full(3, 2.4)}
    for name in ("e1", "e2"):
        chain |= {name: np.zeros(3), f"{name}_predicted": np.full(3, -0.1)}
    chain["source_error_chained"] = 2 * best["source_error_limit"][rows]
    for name in [name for name in best if "psnr" in name]:
        chain[name.removesuffix("_limit")] = best[name][rows] - 3
    found = distances(chain, best)
    assert found["index"].tolist() == best["index"][[1, 2, 4]].tolist()
    assert found["psnr_denoised_db_to_limit"] == pytest.approx(3)
    assert found["display_psnr_source_chained_db_to_limit"] == pytest.approx(3)
    assert found["source_error_over_limit"] == pytest.approx(2)
    sigma = best["sigma_ln_theta_E_limit"][[1, 2, 4]]
    lens = found["is_lens"]
    ratio = found["sigma_ln_theta_E_over_limit"][lens]
    assert ratio == pytest.approx(0.5 * np.log(1.2) / sigma[lens])
    assert found["ln_theta_E_miss_over_limit"][lens] == pytest.approx(np.log(1.1) / sigma[lens])
    assert found["e1_miss_over_limit"][lens] == pytest.approx(
        0.1 / best["sigma_e1_limit"][[1, 2, 4]][lens]
    )
