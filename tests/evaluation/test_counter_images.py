"""Counter-images: found where they were put, and counted as lost when they are."""

import math

import pytest
import torch

from lensmill.evaluation.counter_images import counter_image, flux_ratio, footprint
from lensmill.grid import Grid
from lensmill.training.loader import Loader
from lensmill.training.recipe import parse_recipe

SHAPE, SCALE = (37, 48), 0.2
SIGMA = torch.tensor([[2.0, 5.0]])


def spots(*places):
    """An image of two bands, of round spots (flux in sigmas, x, y in arcsec) of 0.8″ FWHM."""
    x, y = Grid(SHAPE, SCALE).coordinates()
    width = 0.8 / 2.355
    image = sum(
        flux * torch.exp(-0.5 * ((x - a) ** 2 + (y - b) ** 2) / width**2) for flux, a, b in places
    )
    return (image * SIGMA[0][:, None, None])[None]


def found(image, theta_E=1.2):
    one = torch.ones(len(image))
    sigma = SIGMA.expand(len(image), 2)
    return counter_image(image, sigma, theta_E * one, 0.8 * one, SCALE * one)


@pytest.mark.parametrize("angle", [0.3, 1.9, 3.5, 5.6])
def test_the_image_across_the_lens_is_found_whole(angle):
    x, y = math.cos(angle), math.sin(angle)
    arc, counter = (100.0, 1.8 * x, 1.8 * y), (30.0, -0.6 * x, -0.6 * y)
    image = spots(arc, counter)
    seen = found(image)
    assert seen.exists.all()
    alone = spots(counter)
    assert flux_ratio(alone, image, SIGMA, seen.region).item() == pytest.approx(1, abs=0.05)
    inside = flux_ratio(alone, alone, SIGMA, seen.region) * (seen.region * alone[:, 0]).sum()
    assert (inside / alone[:, 0].sum()).item() > 0.7


def test_the_wing_of_the_arc_is_no_counter_image():
    assert not found(spots((100.0, 1.1, 0.4))).exists.any()
    assert not found(torch.zeros(1, 2, *SHAPE)).exists.any()


def test_a_long_arc_hides_no_counter_image():
    """Its ends, on the same side of the lens as the counter-image, are brighter than that."""
    angles = torch.linspace(-1.7, 1.7, 60).tolist()
    arc = [(1.5 + (a == angles[30]), 1.4 * math.cos(a), 1.4 * math.sin(a)) for a in angles]
    assert found(spots(*arc, (8.0, -0.8, 0.0))).exists.all()


def test_what_is_far_outside_is_none_either():
    assert not found(spots((100.0, 1.8, 0.0), (30.0, -3.0, 0.0))).exists.any()


def test_examples_do_not_meet():
    first, second = spots((90.0, 1.5, 0.7), (20.0, -0.7, -0.3)), spots((90.0, -1.0, 1.0))
    both = found(torch.cat([first, second]))
    assert both.exists.tolist() == [True, False]
    assert torch.equal(both.region[0], found(first).region[0])


def test_an_erased_counter_image_has_no_flux_left():
    arc, counter = (100.0, 1.8, 0.3), (30.0, -0.7, 0.0)
    truth = spots(arc, counter)
    seen = found(truth)
    for left in (0.0, 0.5, 1.0):
        image = spots(arc, (left * 30.0, -0.7, 0.0))
        ratio = flux_ratio(image, truth, SIGMA, seen.region).item()
        assert ratio == pytest.approx(left, abs=0.05)


def test_the_footprint_is_of_the_sources_own_brightness():
    image = spots((100.0, 1.0, 0.3))
    for factor in (1e-3, 1.0, 50.0):
        assert torch.equal(footprint(factor * image, SIGMA), footprint(image, SIGMA))
    x, y = Grid(SHAPE, SCALE).coordinates()
    edge = 0.8 / 2.355 * math.sqrt(2 * math.log(10))
    assert torch.equal(footprint(image, SIGMA)[0], torch.hypot(x - 1.0, y - 0.3) < edge)


def test_nothing_has_no_flux_ratio():
    empty = torch.zeros(1, 2, *SHAPE)
    assert not footprint(empty, SIGMA).any()
    assert flux_ratio(empty, empty, SIGMA, footprint(empty, SIGMA)).isnan().all()


def test_simulated_lenses_have_counter_images_and_unlensed_sources_hardly():
    """A source inside of the Einstein radius has an image on the other side: SIE."""
    text = """
    [simulation]
    population = { name = "Priors", bright_fraction = 0.0, companions = 0.0 }
    shape = [[50, 50], [57, 57]]
    psf_fwhm = [0.5, 0.6]
    """
    batch = Loader.of(parse_recipe(text).simulation, 48)(0)
    lens = batch["is_lens"] > 0.5
    theta_E = torch.where(lens, batch["theta_E"], 1.2)
    image, sigma = batch["source"], batch["sky_sigma"]
    seen = counter_image(image, sigma, theta_E, batch["psf_fwhm"].mean(1), batch["pixel_scale"])
    assert seen.exists[lens & (theta_E > 0.9)].float().mean() > 0.8
    assert seen.exists[~lens].float().mean() < 0.1
