"""Of two galaxies of one colour each, unmixing leaves the one that is not even."""

import pytest
import torch

from lensmill.physics.psf import FWHM_PER_SIGMA
from lensmill.physics.unmixing import unmixed

SHAPE = (61, 50)
FWHM = torch.tensor([[5.0, 6.0, 7.0], [7.0, 6.5, 6.0]])
RED, BLUE = torch.tensor([1.0, 4.0, 8.0]), torch.tensor([2.0, 2.0, 1.0])


def _gaussian(x, y, fwhm):
    """Unit flux at (x, y) pixels from the centre: (batch, band, y, x)."""
    rows = torch.arange(SHAPE[0]) - (SHAPE[0] - 1) / 2
    columns = torch.arange(SHAPE[1]) - (SHAPE[1] - 1) / 2
    variance = (fwhm / FWHM_PER_SIGMA).square()[..., None, None]
    squared = (rows[:, None] - y) ** 2 + (columns - x) ** 2
    return torch.exp(-0.5 * squared / variance) / (2 * torch.pi * variance)


@pytest.fixture
def pair():
    """(both, source), sky sigmas: a broad red galaxy, a fainter blue one beside its centre."""
    lens = 3e5 * RED[:, None, None] * _gaussian(0.0, 0.0, torch.hypot(FWHM, torch.tensor(9.0)))
    source = 500 * BLUE[:, None, None] * _gaussian(5.0, -3.0, FWHM)
    return lens + source, source


def test_without_noise_the_source_is_left_at_the_widest_psf(pair):
    both, source = pair
    widest = 500 * BLUE[:, None, None] * _gaussian(5.0, -3.0, FWHM.amax(1, keepdim=True))
    deep, shallow = (
        (guess - widest).abs().amax((1, 2, 3)) / widest.amax((1, 2, 3))
        for guess in unmixed(both, FWHM).guesses
    )
    assert (deep < 3e-3).all()
    assert (shallow < 0.1).all()
    assert (source.amax((1, 2, 3)) < 0.1 * both.amax((1, 2, 3))).all()


def test_what_is_of_neither_colour_is_the_rest(pair):
    """Nothing, to float32's accuracy of the lens; then a third galaxy of a third colour."""
    both, _ = pair
    assert unmixed(both, FWHM).rest.max() < 1e-5 * both.max()
    third = 50 * torch.tensor([0.0, 5.0, 0.0])[:, None, None] * _gaussian(-9.0, 4.0, FWHM)
    rest = unmixed(both + third, FWHM).rest
    assert (rest.amax((1, 2, 3)) > 0.3 * third.amax((1, 2, 3))).all()


def test_it_turns_with_the_image(pair):
    both, _ = pair
    first, second = (unmixed(each, FWHM).guesses for each in (both, both.flip(-1, -2)))
    for guess, turned in zip(first, second, strict=True):
        torch.testing.assert_close(turned.flip(-1, -2), guess, rtol=0, atol=0.05)


def test_colours_are_constants_to_gradients_and_nothing_is_nan(pair):
    both, _ = pair
    image = both.clone().requires_grad_()
    found = unmixed(image, FWHM)
    sum(part.square().mean() for part in (*found.guesses, found.rest)).backward()
    assert image.grad.isfinite().all()
    assert image.grad.any()
    for odd in (torch.zeros_like(both), _gaussian(0.0, 0.0, FWHM), -both):
        found = unmixed(odd, FWHM)
        assert all(part.isfinite().all() for part in (*found.guesses, found.rest))


def test_one_band_has_no_colour(pair):
    both, _ = pair
    with pytest.raises(ValueError, match="two bands at least"):
        unmixed(both[:, :1], FWHM[:, :1])
