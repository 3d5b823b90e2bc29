"""Agreement: may a chain compute in bf16? Where that is faster and says the same."""

from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import Tensor

from lensmill.quantities import Batch
from lensmill.survey.chain import Chain
from lensmill.survey.inference import predict, prepared
from lensmill.survey.prefetch import Clock
from lensmill.training.precision import Precision, fastest_precision

TOLERANCE = {"image": 0.1, "p_lens": 0.02, "theta_E": 0.02, "ellipticity": 0.02}
"""Largest differences from float32 of an object: rms of its images in sky σ, p_lens, θ_E as a
share of itself, and e1 and e2."""

SHAPE = (45, 51)
COUNT = 4


def chosen_precision(chain: Chain, device: str) -> Precision:
    """bf16 where a self-test of a second finds it faster, and `chain` within `TOLERANCE`."""
    fastest = fastest_precision(torch.device(device).type)
    if fastest == "32-true":
        return fastest
    found = differences(chain, device)
    return fastest if all(found[name] <= TOLERANCE[name] for name in found) else "32-true"


def differences(chain: Chain, device: str, batch: Batch | None = None) -> dict[str, float]:
    """Largest difference of bf16 from float32 for each of `TOLERANCE` that the chain predicts."""
    batch = sample(len(chain.pipeline.bands)) if batch is None else batch
    batch = {name: value.to(device) for name, value in batch.items()}
    exact, fast = (
        predict(prepared(deepcopy(chain), device, precision), batch, None, Clock()).quantities
        for precision in ("32-true", "bf16-mixed")
    )
    found = _compared(exact, fast)
    return {name: float(value.abs().nan_to_num(torch.inf).max()) for name, value in found.items()}


def _compared(exact: Batch, fast: Batch) -> Mapping[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name in {"clean", "source"} & exact.keys():
        error = (fast[name] - exact[name]) / exact["sky_sigma"][..., None, None]
        rms = error.square().mean((1, 2, 3)).sqrt()
        found["image"] = torch.maximum(found.get("image", rms), rms)
    if "p_lens" in exact:
        found["p_lens"] = fast["p_lens"] - exact["p_lens"]
    if "theta_E" in exact:
        found["theta_E"] = fast["theta_E"] / exact["theta_E"] - 1
        found["ellipticity"] = torch.stack([fast[e] - exact[e] for e in ("e1", "e2")])
    return found


def sample(bands: int) -> Batch:
    """A few galaxies, from faint to bright, each with a ring, in noise of 1."""
    y, x = torch.meshgrid(*(torch.arange(side) - (side - 1) / 2 for side in SHAPE), indexing="ij")
    radius = torch.hypot(y, 1.2 * x)
    picture = torch.exp(-radius / 3) + 0.1 * torch.exp(-((radius - 7) ** 2) / 4)
    peaks = torch.logspace(1, 3, COUNT)[:, None, None, None]
    noise = torch.randn(COUNT, bands, *SHAPE, generator=torch.Generator().manual_seed(0))
    return {
        "noisy": peaks * picture + noise,
        "sky_sigma": torch.ones(COUNT, bands),
        "psf_fwhm": torch.full((COUNT, bands), 0.8),
        "pixel_scale": torch.full((COUNT,), 0.2),
    }
