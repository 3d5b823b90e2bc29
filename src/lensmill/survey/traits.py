"""Traits: what a chain makes of objects, in numbers that need no zero point to be compared.

Survey images come in any unit, so brightness is in sky sigmas, as the networks see it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from lensmill.quantities import CLEAN, NOISY, P_LENS, THETA_E, Batch
from lensmill.stages.pipeline import Pipeline
from lensmill.stages.scaling import in_sigmas, local_noise
from lensmill.survey.rows import source_snr

APERTURE = 1.5
"""arcsec, radius about the centre in which the S/N and the colours of a galaxy are measured."""
OUTSKIRTS = 2.5
"""arcsec from the centre, beyond which light counts as that of neighbours and of arcs."""
FAINT = 0.25
"""Share of the pixels, those of least denoised light, that count as sky."""

Columns = dict[str, Float[Tensor, " batch"]]


def traits(predicted: Batch, bands: tuple[str, ...]) -> Columns:
    """One value per object and name, of a batch that a whole chain has been through.

    pixel_scale, seeing (FWHM, mean of the bands), size (mean radius of the denoised light within
    `OUTSKIRTS`, middle band): arcsec. seeing_pixels: FWHM over pixel scale. log_snr: dex, of the
    light within `APERTURE`, middle band. colour_g_r: magnitudes, of the S/N instead of fluxes.
    outer_light: share of the denoised light beyond `OUTSKIRTS`. sky_level, sky_rms: of faint
    pixels before and after denoising, in sigmas; sky_correlation: between neighbouring ones.
    p_lens, theta_E, log_source_snr (dex) as in the catalogue.
    """
    scale, fwhm = predicted["pixel_scale"].float(), predicted["psf_fwhm"].float()
    return {
        "pixel_scale": scale,
        "seeing": fwhm.mean(1),
        "seeing_pixels": (fwhm / scale[:, None]).mean(1),
        **_light(predicted, bands),
        **_sky(predicted),
        **_results(predicted),
    }


def _light(predicted: Batch, bands: tuple[str, ...]) -> Columns:
    noisy, clean = (in_sigmas(predicted, q.name) for q in (NOISY, CLEAN))
    radius = _radius(clean, predicted["pixel_scale"].float())
    inside = (radius < APERTURE).to(clean)[:, None]
    snr = (noisy * inside).sum((-2, -1)) / inside.sum((-2, -1)).sqrt()
    middle = clean[:, len(bands) // 2].clamp(min=0)
    inner, total = middle * (radius < OUTSKIRTS), middle.sum((-2, -1)).clamp(min=1e-6)
    # Where a band shows nothing its S/N counts as 1: a colour is then a limit, not a NaN.
    shown = -2.5 * torch.log10(snr.clamp(min=1.0))
    return {
        "log_snr": _dex(snr[:, len(bands) // 2]),
        **{
            f"colour_{a}_{b}": shown[:, i] - shown[:, i + 1]
            for i, (a, b) in enumerate(pairwise(bands))
        },
        "size": (inner * radius).sum((-2, -1)) / inner.sum((-2, -1)).clamp(min=1e-6),
        "outer_light": (middle * (radius > OUTSKIRTS)).sum((-2, -1)) / total,
    }


def _radius(image: Tensor, scale: Float[Tensor, " batch"]) -> Float[Tensor, "batch y x"]:
    """Distance of every pixel from the centre, arcsec."""
    y, x = image.shape[-2:]
    rows = torch.arange(y, device=image.device)[:, None] - (y - 1) / 2
    columns = torch.arange(x, device=image.device) - (x - 1) / 2
    return torch.hypot(*torch.broadcast_tensors(rows, columns)) * scale[:, None, None]


def _sky(predicted: Batch) -> Columns:
    """Level, rms and correlation of what is left of faint pixels, over all bands."""
    noisy, clean = (in_sigmas(predicted, q.name) for q in (NOISY, CLEAN))
    level = torch.quantile(clean.flatten(2), FAINT, dim=2)[..., None, None]
    empty: Bool[Tensor, "batch band y x"] = clean <= level
    left = (noisy - clean) / local_noise(clean) * empty
    count = empty.sum((1, 2, 3)).clamp(min=1)
    variance = (left.square().sum((1, 2, 3)) / count).clamp(min=1e-6)
    both = (empty[..., 1:] & empty[..., :-1]).sum((1, 2, 3)).clamp(min=1)
    product = (left[..., 1:] * left[..., :-1]).sum((1, 2, 3)) / both
    return {
        "sky_level": (noisy * empty).sum((1, 2, 3)) / count,
        "sky_rms": variance.sqrt(),
        "sky_correlation": product / variance,
    }


def _results(predicted: Batch) -> Columns:
    known = {name: predicted[name] for name in (P_LENS.name, THETA_E.name) if name in predicted}
    return {**known, "log_source_snr": _dex(source_snr(predicted))}


def _dex(value: Tensor) -> Tensor:
    """log10, of what is 0.1 at least: S/N below that says nothing."""
    return torch.log10(value.clamp(min=0.1))


@contextmanager
def penultimate(pipeline: Pipeline) -> Iterator[list[Float[Tensor, "batch feature"]]]:
    """What the last layer of the network that finds lenses is given, one tensor for each batch.

    ValueError where no stage writes p_lens, or its network does not end in a linear layer.
    """
    finders = [stage for stage in pipeline.members if P_LENS in stage.writes]
    layers = [
        layer for stage in finders for layer in stage.modules() if isinstance(layer, nn.Linear)
    ]
    if not layers:
        raise ValueError("these weights hold no network that finds lenses by a last linear layer")
    seen: list[Tensor] = []
    handle = layers[-1].register_forward_pre_hook(
        lambda layer, inputs: seen.append(inputs[0].detach().float().cpu())
    )
    try:
        yield seen
    finally:
        handle.remove()
