"""Simulator: named quantities of every scene, whatever the batch they are drawn in."""

from dataclasses import replace

import pytest
import torch

from lensmill.grid import Grid
from lensmill.physics.surveys import preset
from lensmill.quantities import by_name
from lensmill.simulation.observing import Observing
from lensmill.simulation.population.priors import Priors
from lensmill.simulation.rendering import Sampling, render
from lensmill.simulation.simulator import Simulator, source_snr
from lensmill.units import ellipticity_from_axis_ratio

OBSERVING = Observing(preset("lsst_10year"), psf_fwhm=(0.6, 0.9), depth=(0.1, 1.0))
GRID = Grid((34, 39), 0.21)
POPULATION = Priors(companions=0.4)
SIMULATOR = Simulator(POPULATION, OBSERVING, GRID)
INDICES = torch.arange(24)
IMAGES = ("noisy", "clean", "source")
EXACT = ("sky_sigma", "psf_fwhm", "pixel_scale", "is_lens", "theta_E")
"""What does not pass through a sum or a function that torch rounds by the batch's size."""


@pytest.fixture(scope="module")
def batch():
    return SIMULATOR(5, INDICES)


@pytest.fixture(scope="module")
def scene():
    return POPULATION.draw(5, INDICES)


@pytest.fixture(scope="module")
def conditions():
    return OBSERVING.draw(5, INDICES, GRID.pixel_scale)


def _dark(galaxies):
    return replace(galaxies, magnitude=torch.full_like(galaxies.magnitude, torch.inf))


def _assert_close(found, expected):
    """Equal, to the bit or to float32's rounding: images against their peak and noise."""
    assert found.keys() == expected.keys()
    peak = expected["clean"].amax((2, 3), keepdim=True)
    rounding = 2e-6 * peak + 1e-4 * expected["sky_sigma"][..., None, None]
    for name, value in expected.items():
        if name in EXACT:
            assert torch.equal(found[name], value), name
        elif name in IMAGES:
            assert ((found[name] - value).abs() < rounding).all(), name
        else:
            torch.testing.assert_close(found[name], value, rtol=1e-5, atol=1e-6)


def test_every_quantity_has_the_axes_it_states(batch):
    sizes = {"batch": 24, "band": 3, "y": 34, "x": 39}
    for name, value in batch.items():
        assert value.shape == tuple(sizes[axis] for axis in by_name(name).axes), name
        assert value.dtype == torch.float32, name
        assert value.isfinite().all(), name


def test_what_is_provided(batch):
    per_object = {"pixel_scale", "is_lens", "kind", "theta_E", "e1", "e2", "source_snr"}
    assert set(batch) == {*IMAGES, "sky_sigma", "zero_point", "psf_fwhm"} | per_object


def test_truth_is_the_scenes(batch, scene, conditions):
    """θ_E and FWHM in arcsec, noise in electrons, ellipticities from +x."""
    assert torch.equal(batch["is_lens"], scene.is_lens.float())
    assert torch.equal(batch["theta_E"], scene.mass.theta_E)
    assert torch.equal(batch["sky_sigma"], conditions.sky_sigma)
    assert torch.equal(batch["zero_point"], conditions.zero_point)
    assert torch.equal(batch["psf_fwhm"], conditions.psf_fwhm)
    assert torch.equal(batch["pixel_scale"], torch.full((24,), 0.21))
    expected = ellipticity_from_axis_ratio(scene.mass.q, scene.mass.phi)
    torch.testing.assert_close((batch["e1"], batch["e2"]), expected, rtol=0, atol=1e-6)


def test_images_are_in_electrons():
    """A star of magnitude m holds 10^(−0.4 (m − zero point)) electrons."""
    scene = POPULATION.draw(5, INDICES[:2])
    star = replace(
        _dark(scene.source),
        magnitude=torch.tensor([[[20.0, 21.0, 22.0]]]).expand(2, 1, 3),
        half_light_radius=torch.full((2, 1), 0.01),
        x=torch.full((2, 1), 0.3),
        y=torch.full((2, 1), -0.2),
    )
    observed = OBSERVING.draw(5, INDICES[:2], 0.21)
    scene = replace(scene, foreground=star, source=_dark(scene.source))
    clean, _ = render(scene, observed, GRID, Sampling())
    electrons = 10 ** (-0.4 * (star.magnitude[:, 0] - observed.zero_point))
    torch.testing.assert_close(clean.sum((2, 3)), electrons, rtol=1e-3, atol=0)


def test_the_same_call_gives_the_same_bits(batch):
    again = SIMULATOR(5, INDICES)
    assert all(torch.equal(again[name], value) for name, value in batch.items())


def test_another_seed_gives_other_scenes_and_noise(batch):
    other = SIMULATOR(6, INDICES)
    for name in ("noisy", "e1", "psf_fwhm"):
        assert (other[name] != batch[name]).all(0).any()
    assert (other["noisy"] != batch["noisy"]).double().mean() > 0.99


@pytest.mark.parametrize("size", [1, 7, 16])
def test_batch_splits_change_nothing(batch, size):
    parts = [SIMULATOR(5, part) for part in INDICES.split(size)]
    _assert_close({name: torch.cat([part[name] for part in parts]) for name in batch}, batch)


@pytest.mark.parametrize("chunk", [3, 24, 50])
def test_chunk_size_changes_nothing(batch, chunk):
    _assert_close(replace(SIMULATOR, chunk=chunk)(5, INDICES), batch)


def test_order_changes_nothing(batch):
    order = torch.randperm(24, generator=torch.Generator().manual_seed(2))
    found = SIMULATOR(5, INDICES[order])
    _assert_close(found, {name: value[order] for name, value in batch.items()})


def test_another_grid_shows_the_same_scenes(batch):
    grid = Grid((45, 36), 0.18)
    assert SIMULATOR.on(grid) == replace(SIMULATOR, grid=grid)
    found = SIMULATOR.on(grid)(5, INDICES[:6])
    assert found["clean"].shape == (6, 3, 45, 36)
    assert torch.equal(found["theta_E"], batch["theta_E"][:6])
    assert torch.equal(found["psf_fwhm"], batch["psf_fwhm"][:6])
    assert (found["sky_sigma"] < batch["sky_sigma"][:6]).all()


def test_noise_of_empty_sky_has_the_stated_variance(batch):
    """Where light adds less than 1 % to the variance; some 10,000 pixels in each band."""
    variance = (batch["sky_sigma"] ** 2)[..., None, None].expand_as(batch["clean"])
    noise = (batch["noisy"] - batch["clean"]) / variance.sqrt()
    for band in range(3):
        empty = noise[:, band][batch["clean"][:, band] < 0.01 * variance[:, band]]
        assert len(empty) > 5000
        assert abs(empty.mean().item()) < 4 / len(empty) ** 0.5
        assert abs(empty.var().item() - 1) < 0.005 + 4 * (2 / len(empty)) ** 0.5


def test_noise_of_light_is_its_counts_too(batch):
    variance = (batch["sky_sigma"] ** 2)[..., None, None] + batch["clean"]
    noise = (batch["noisy"] - batch["clean"]) / variance.sqrt()
    bright = noise[batch["clean"] > 0.8 * variance]
    assert len(bright) > 500
    assert abs(bright.var().item() - 1) < 4 * (2 / len(bright)) ** 0.5


def test_noise_differs_between_pixels_bands_and_scenes(batch):
    sigma = (batch["sky_sigma"] ** 2)[..., None, None] + batch["clean"]
    noise = ((batch["noisy"] - batch["clean"]) / sigma.sqrt()).double()
    for shift, axis in ((1, 0), (1, 1), (1, 2), (1, 3)):
        product = (noise * noise.roll(shift, dims=axis)).mean()
        assert product.abs() < 4 / noise.numel() ** 0.5


def test_sources_of_non_lenses_are_not_deflected(batch, scene, conditions):
    """They look as the same galaxies in the foreground do, within 1e-3 of their peak."""
    moved = replace(scene, foreground=scene.source, source=_dark(scene.source))
    undeflected, _ = render(moved, conditions, GRID, Sampling())
    difference = (batch["source"] - undeflected).abs().amax((1, 2, 3))
    peak = undeflected.amax((1, 2, 3))
    non_lens = batch["is_lens"] == 0
    assert 5 < non_lens.sum() < 20
    assert (difference < 1e-3 * peak)[non_lens].all()
    assert (difference > 0.01 * peak)[~non_lens].all()


def test_clean_less_source_is_the_foreground(batch, scene, conditions):
    without = replace(scene, source=_dark(scene.source))
    foreground, nothing = render(without, conditions, GRID, Sampling())
    assert not nothing.any()
    difference = (batch["clean"] - batch["source"] - foreground).abs()
    assert (difference < 1e-6 * batch["clean"].amax((1, 2, 3), keepdim=True)).all()


def test_lenses_magnify():
    """Against the same sources undeflected; a round lens magnifies by 2 θ_E/β, at least 2."""
    lenses = replace(SIMULATOR, population=replace(POPULATION, lens_fraction=1.0))(5, INDICES)
    bare = Priors(companions=0.4, lens_fraction=0.0, bright_fraction=0.0)
    others = replace(SIMULATOR, population=bare)(5, INDICES)
    gain = lenses["source"].sum((1, 2, 3)) / others["source"].sum((1, 2, 3))
    assert (gain > 1).all()
    assert gain.median() > 2


def test_source_snr_is_positive(batch):
    assert (batch["source_snr"] > 0).all()


def test_source_snr_is_the_matched_filters():
    """√(Σ s² / (σ² + light)) of the best band."""
    source = torch.zeros(2, 3, 4, 5)
    source[:, 0, 1:3, 2] = 30.0
    source[1, 2, 3, 4] = 500.0
    clean = source.clone()
    clean[:, 0, 2, 2] += 600.0
    sigma = torch.full((2, 3), 10.0)
    first = (30**2 / (100 + 30) + 30**2 / (100 + 630)) ** 0.5
    second = 500 / (100 + 500) ** 0.5
    expected = torch.tensor([first, second])
    torch.testing.assert_close(source_snr(clean, source, sigma), expected)


def test_a_brighter_source_has_a_higher_snr(batch):
    brighter = replace(POPULATION, brightening=1.0)
    found = replace(SIMULATOR, population=brighter)(5, INDICES)["source_snr"]
    assert (found > batch["source_snr"]).all()


def test_bands_that_differ_are_refused():
    survey = preset("lsst_10year")
    two = replace(survey, bands={name: survey.bands[name] for name in ("g", "i")})
    with pytest.raises(ValueError, match=r"draws bands \('g', 'r', 'i'\).*observes \('g', 'i'\)"):
        Simulator(POPULATION, Observing(two), GRID)
