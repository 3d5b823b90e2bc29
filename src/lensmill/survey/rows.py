"""Rows: from what the stages wrote to what a catalogue says."""

import math
from typing import Any

import torch
from torch import Tensor

from lensmill.quantities import E1, E2, NOISY, OOD, P_LENS, SOURCE, THETA_E, Batch
from lensmill.stages.familiar import UNLIKE
from lensmill.stages.posterior import Mixture
from lensmill.stages.scaling import in_sigmas
from lensmill.units import position_angle_deg

SAMPLES = 1024


def measurements(predicted: Batch) -> list[dict[str, Any]]:
    """One dictionary of catalogue values for each object of a predicted batch."""
    columns: dict[str, Tensor] = {}
    if P_LENS.name in predicted:
        columns["p_lens"] = predicted[P_LENS.name]
    if OOD.name in predicted:
        columns["ood"] = predicted[OOD.name]
    if SOURCE.name in predicted:
        columns["source_snr"] = source_snr(predicted)
    if THETA_E.name in predicted:
        columns |= mass_columns(predicted)
    lists = {name: value.double().cpu().tolist() for name, value in columns.items()}
    count = len(predicted[NOISY.name])
    return [{name: value[i] for name, value in lists.items()} for i in range(count)]


def is_finite(values: dict[str, Any]) -> bool:
    """Is every number of an object's catalogue values finite?"""
    return all(math.isfinite(value) for value in values.values() if isinstance(value, float))


def doubts(values: dict[str, Any]) -> list[str]:
    """Flags that follow from an object's catalogue values."""
    return ["unlike_training"] if values.get("ood", 0.0) > UNLIKE else []


def source_snr(predicted: Batch) -> Tensor:
    """Matched-filter S/N of the deblended source against the sky, best band."""
    return in_sigmas(predicted, SOURCE.name).square().sum((-2, -1)).sqrt().amax(-1)


def mass_columns(predicted: Batch) -> dict[str, Tensor]:
    """θ_E, e1, e2, q and φ with their uncertainties, from the posterior; NaN where that is."""
    mixture = _drawable(Mixture.of(predicted))
    low, high = mixture.quantile(0.16), mixture.quantile(0.84)
    generator = torch.Generator(mixture.mean.device).manual_seed(0)
    _, e1, e2 = mixture.sample(SAMPLES, generator).unbind(-1)
    size = torch.hypot(e1, e2).clamp(max=0.95)
    q = (1 - size) / (1 + size)
    angle, half_width = _circular(torch.atan2(e2, e1))
    levels = q.new_tensor([0.16, 0.5, 0.84])
    q_low, q_median, q_high = torch.quantile(q, levels, dim=1)
    return {
        "theta_E": predicted[THETA_E.name],
        "theta_E_16": low[:, 0].exp(),
        "theta_E_84": high[:, 0].exp(),
        "e1": predicted[E1.name],
        "e1_error": e1.std(1),
        "e2": predicted[E2.name],
        "e2_error": e2.std(1),
        "q": q_median,
        "q_16": q_low,
        "q_84": q_high,
        "position_angle_deg": position_angle_deg(angle),
        "position_angle_error_deg": torch.rad2deg(half_width),
    }


def _drawable(mixture: Mixture) -> Mixture:
    """`mixture` with the weights of objects that have none made equal, and their means NaN.

    No sample can be drawn by weights that are NaN: one such object would end its whole batch.
    """
    weighed = mixture.log_weight.logsumexp(1).isfinite()[:, None]
    log_weight = torch.where(weighed, mixture.log_weight, 0.0)
    mean = torch.where(weighed[..., None], mixture.mean, torch.nan)
    return Mixture(log_weight, mean, mixture.scale_tril)


def _circular(double_angle: Tensor) -> tuple[Tensor, Tensor]:
    """Mean axis in [0, π) and half of its central 68 % range, of samples of 2φ."""
    mean = torch.atan2(double_angle.sin().mean(1), double_angle.cos().mean(1))
    offset = torch.remainder(double_angle - mean[:, None] + math.pi, 2 * math.pi) - math.pi
    half_width = torch.quantile(offset.abs(), 0.68, dim=1) / 2
    return torch.remainder(mean / 2, math.pi), half_width
