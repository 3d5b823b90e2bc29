"""Resampled noise: as much, and as shared between neighbours, as Lanczos-3 makes it."""

from dataclasses import replace

import pytest
import torch

from lensmill.grid import Grid
from lensmill.physics.surveys import preset
from lensmill.simulation.observing import Observing
from lensmill.simulation.population.priors import Priors
from lensmill.simulation.resampling import draw_weights, lanczos, resampled, scatter
from lensmill.simulation.simulator import Simulator

OBSERVING = Observing(preset("des_wide"), resampled=True)
SIMULATOR = Simulator(Priors(), OBSERVING, Grid((34, 39), 0.263))
INDICES = torch.arange(40)


def correlation(noise, step):
    """Of pixels `step` apart along x, relative to their variance."""
    return float((noise[..., step:] * noise[..., :-step]).mean() / noise.square().mean())


def test_a_whole_pixel_is_a_pixel():
    weights = lanczos(torch.tensor([0.0]))
    assert torch.allclose(weights, torch.eye(6)[2:3], atol=1e-6)
    assert torch.allclose(lanczos(torch.rand(9)).sum(-1), torch.ones(9))


@pytest.mark.parametrize("shift", [0.2, 0.5])
def test_a_ramp_is_moved_by_the_shift(shift):
    """Lanczos-3 reproduces a slope to a few parts in a hundred."""
    ramp = torch.arange(40.0).expand(1, 1, 40, 40)
    weights = torch.stack([lanczos(torch.tensor(0.0)), lanczos(torch.tensor(shift))])
    moved = resampled(ramp, weights.expand(1, 1, 2, 6))
    assert torch.allclose((moved - ramp)[..., 10:-10], torch.tensor(shift), atol=0.03)


def test_noise_is_shared_as_in_des():
    """DES' coadds: 0.11 at one pixel, −0.07 at two, and 0.02 on the diagonal."""
    noise = torch.randn(300, 3, 40, 40, generator=torch.Generator().manual_seed(1))
    weights = draw_weights(1, torch.arange(300), 3)
    found = resampled(noise, weights)
    assert correlation(found, 1) == pytest.approx(0.11, abs=0.02)
    assert correlation(found, 2) == pytest.approx(-0.07, abs=0.02)
    assert torch.allclose(found.std((2, 3)) / scatter(weights), torch.ones(300, 3), atol=0.12)


def test_the_sky_sigma_is_what_the_pixels_show():
    batch = SIMULATOR(3, INDICES)
    noise = (batch["noisy"] - batch["clean"]) / torch.sqrt(
        batch["sky_sigma"][..., None, None] ** 2 + batch["clean"].clamp(min=0)
    )
    assert noise.std() == pytest.approx(1, abs=0.05)
    assert correlation(noise, 1) > 0.05


def test_nothing_else_changes():
    plain = replace(SIMULATOR, observing=replace(OBSERVING, resampled=False))(3, INDICES)
    batch = SIMULATOR(3, INDICES)
    changed = {name for name in batch if not torch.equal(batch[name], plain[name])}
    assert changed == {"noisy", "sky_sigma"}
    assert (batch["sky_sigma"] <= plain["sky_sigma"] * 1.0001).all()


def test_scenes_depend_on_seed_and_index_alone():
    whole, part = SIMULATOR(3, INDICES), SIMULATOR(3, INDICES[7:9])
    assert torch.allclose(part["noisy"], whole["noisy"][7:9], rtol=1e-4, atol=1e-2)
