"""Traits: right on images whose traits are known, and the same in every unit."""

import math

import pytest
import torch

from lensmill.stages.pipeline import Pipeline
from lensmill.survey.chain import load_chain
from lensmill.survey.traits import APERTURE, penultimate, traits

BANDS = ("g", "r", "i")
SCALE = torch.tensor([0.2, 0.25])


def batch(unit=1.0, correlated=False):
    """Two Gaussian galaxies of σ = 0.8″ in white noise of 2, 3, 5 units."""
    generator = torch.Generator().manual_seed(1)
    y, x = torch.meshgrid(torch.arange(53.0) - 26, torch.arange(61.0) - 30, indexing="ij")
    radius = torch.hypot(x, y) * SCALE[:, None, None]
    galaxy = torch.exp(-(radius**2) / (2 * 0.8**2))[:, None]
    sigma = torch.tensor([[2.0, 3.0, 5.0]]).expand(2, -1)
    clean = galaxy * torch.tensor([20.0, 100.0, 200.0])[:, None, None]
    noise = torch.randn(2, 3, 53, 61, generator=generator)
    if correlated:
        noise = (noise + noise.roll(1, -1)) / math.sqrt(2)
    return {
        "noisy": unit * (clean + sigma[..., None, None] * noise),
        "clean": unit * clean,
        "source": 0 * clean,
        "sky_sigma": unit * sigma,
        "psf_fwhm": torch.tensor([[0.8, 0.7, 0.6], [1.0, 1.0, 1.0]]),
        "pixel_scale": SCALE,
    }


def test_known_images():
    found = traits(batch(), BANDS)
    torch.testing.assert_close(found["seeing"], torch.tensor([0.7, 1.0]))
    torch.testing.assert_close(found["seeing_pixels"], torch.tensor([3.5, 4.0]))
    # ∫ r exp(−r²/2σ²) over the sky: the mean radius is σ √(π/2).
    torch.testing.assert_close(found["size"], torch.full((2,), 1.0), atol=0.02, rtol=0)
    # S/N 10, 33, 40 at the peak: colours are ratios of them.
    g_r, r_i = (torch.full((2,), 2.5 * math.log10(ratio)) for ratio in (3.33, 1.2))
    torch.testing.assert_close(found["colour_g_r"], g_r, atol=0.05, rtol=0)
    torch.testing.assert_close(found["colour_r_i"], r_i, atol=0.05, rtol=0)
    inside = 2 * math.pi * 0.8**2 * (1 - math.exp(-(APERTURE**2) / (2 * 0.8**2)))
    snr = 100 / 3 * inside / SCALE**2 / torch.sqrt(math.pi * APERTURE**2 / SCALE**2)
    torch.testing.assert_close(found["log_snr"], torch.log10(snr), atol=0.02, rtol=0)
    assert (found["outer_light"] < 0.02).all()


def test_the_sky():
    white, smooth = (traits(batch(correlated=each), BANDS) for each in (False, True))
    for found in (white, smooth):
        torch.testing.assert_close(found["sky_rms"], torch.ones(2), atol=0.05, rtol=0)
        assert (found["sky_level"].abs() < 0.06).all()
    assert (white["sky_correlation"].abs() < 0.06).all()
    torch.testing.assert_close(smooth["sky_correlation"], torch.full((2,), 0.5), atol=0.06, rtol=0)


def test_units_do_not_matter():
    one, other = traits(batch(), BANDS), traits(batch(1e-4), BANDS)
    assert one.keys() == other.keys()
    for name, column in one.items():
        assert column.shape == (2,)
        torch.testing.assert_close(other[name], column, atol=1e-3, rtol=1e-3)


def test_features_of_every_batch_are_seen_and_then_no_more(weights):
    chain = load_chain(weights)
    with torch.inference_mode(), penultimate(chain.pipeline) as seen:
        for count in (2, 1):
            chain.pipeline.predict({name: value[:count] for name, value in batch().items()})
    assert [each.shape for each in seen] == [(2, 32), (1, 32)]
    chain.pipeline.predict(batch())
    assert len(seen) == 2


def test_a_chain_that_finds_no_lenses_has_no_such_features(weights):
    stages = load_chain(weights).pipeline.members[:2]
    with (
        pytest.raises(ValueError, match="no network that finds lenses"),
        penultimate(Pipeline(stages)),
    ):
        pass
