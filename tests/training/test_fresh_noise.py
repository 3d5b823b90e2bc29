"""Kept systems with fresh noise: the sky's and the light's, a function of the seed."""

import pytest
import torch

from lensmill.training.noise import renewing


@pytest.fixture
def pair():
    """A quarter of the stamp bright."""
    clean = torch.zeros(2, 3, 60, 70)
    clean[..., :30, :35] = 900.0
    sigma = torch.tensor([[10.0, 20.0, 40.0]]).expand(2, -1)
    return {"noisy": clean + 1.0, "sky_sigma": sigma}, {"clean": clean, "sky_sigma": sigma}


def test_noise_is_fresh_and_of_the_right_size(pair):
    torch.manual_seed(1)
    fed = renewing(lambda step: pair)
    (first, truth), (second, _) = fed(0), fed(0)
    assert not torch.equal(first["noisy"], second["noisy"])
    error = first["noisy"] - truth["clean"]
    sky = torch.tensor([10.0, 20.0, 40.0])
    torch.testing.assert_close(error[..., 30:, 35:].std((-2, -1))[0], sky, rtol=0.05, atol=0)
    bright = torch.sqrt(sky**2 + 900)
    torch.testing.assert_close(error[..., :30, :35].std((-2, -1))[0], bright, rtol=0.08, atol=0)


def test_it_is_a_function_of_the_seed_and_reaches_the_truth(pair):
    batch, truth = pair
    fed = renewing(lambda step: (batch, {**truth, "noisy": batch["noisy"]}))
    torch.manual_seed(3)
    seen, known = fed(0)
    assert torch.equal(seen["noisy"], known["noisy"])
    torch.manual_seed(3)
    assert torch.equal(fed(0)[0]["noisy"], seen["noisy"])


def test_without_the_clean_image_there_is_none(pair):
    batch, _ = pair
    with pytest.raises(ValueError, match="fresh_noise is for what reads noisy and learns clean"):
        renewing(lambda step: (batch, batch))(0)
