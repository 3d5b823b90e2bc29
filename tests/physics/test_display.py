"""Display space: the recipe of the pictures, and PSNRs in it."""

import math

import pytest
import torch

from lensmill.physics.display import calibrated, display, display_psnr


@pytest.fixture
def noisy():
    generator = torch.Generator().manual_seed(2)
    y, x = (torch.arange(side) - (side - 1) / 2 for side in (33, 40))
    galaxy = torch.exp(-torch.hypot(y[:, None], x) / 5)
    colour = torch.tensor([20.0, 60.0, 100.0])[:, None, None]
    return colour * galaxy + torch.randn(2, 3, 33, 40, generator=generator)


def test_pictures_are_eight_bit_and_reach_white(noisy):
    picture = display(noisy, noisy)
    assert torch.equal(picture, picture.round())
    assert (picture.min(), picture.max()) == (0, 255)
    assert ((picture == 255).float().mean((1, 2, 3)) >= 0.005).all()


def test_red_is_the_reddest_band(noisy):
    picture = display(noisy, noisy)
    centre = picture[:, :, 16, 20]
    assert (centre[:, 0] > centre[:, 2]).all()


def test_the_unit_does_not_matter(noisy):
    clean = noisy.clamp(min=0)
    first = display_psnr(noisy, clean, noisy)
    second = display_psnr(3 * noisy, 3 * clean, 3 * noisy)
    torch.testing.assert_close(first, second, rtol=0, atol=0.05)


def test_calibrated_images_do_not_depend_on_the_exposures(noisy):
    """Ten times the exposure: ten times the electrons, and a zero point 2.5 mag fainter."""
    zero_point = torch.tensor([[30.0, 31.0, 32.5], [28.0, 30.0, 31.0]])
    longer = torch.tensor([10.0, 1.0, 100.0])
    fainter = zero_point + 2.5 * longer.log10()
    expected = calibrated(noisy, zero_point)
    found = calibrated(noisy * longer[:, None, None], fainter)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=0)
    torch.testing.assert_close(expected[0, 0], noisy[0, 0])


def test_one_pixel_by_hand():
    """A grey pixel of half the scale, white set by itself."""
    image = torch.full((1, 3, 2, 2), 0.5)
    noisy = torch.full((1, 3, 2, 2), 1.0)
    weights = [3 * w / 3.5 for w in (0.9, 1.1, 1.5)]
    r, g, b = (0.5 * w for w in weights)
    intensity = math.sqrt(r * r + g * g + b * b)
    stretched = [c * math.asinh(20 * 40.8 * intensity) / (20 * intensity) for c in (r, g, b)]
    top = max(1.0, *stretched)
    expected = [math.floor(255 * min(1, c / max(stretched))) for c in stretched]
    assert top == 1.0
    assert display(image, noisy)[0, :, 0, 0].tolist() == pytest.approx(expected, abs=1)


def test_a_perfect_picture_has_no_noise(noisy):
    assert torch.isinf(display_psnr(noisy, noisy, noisy)).all()


def test_psnr_falls_with_noise(noisy):
    generator = torch.Generator().manual_seed(3)
    noise = torch.randn(noisy.shape, generator=generator)
    psnr = [display_psnr(noisy + size * noise, noisy, noisy).mean() for size in (0.1, 1.0, 10.0)]
    assert psnr == sorted(psnr, reverse=True)
