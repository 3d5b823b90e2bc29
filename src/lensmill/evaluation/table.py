"""Table: what an evaluation writes down of every example, one row each."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from lensmill.evaluation.baseline import fit_galaxy
from lensmill.evaluation.calibration import pit
from lensmill.evaluation.display import BANDS, calibrated, display_psnr
from lensmill.evaluation.metrics import correlation, error_rms, linear_psnr
from lensmill.physics.surveys import Survey
from lensmill.quantities import Batch
from lensmill.simulation.shards import IMAGES
from lensmill.stages.posterior import PARAMETERS, Mixture

Column = NDArray[Any]
Table = Mapping[str, Column]
"""Columns by name; see `rows` for the names."""


def rows(
    index: Int[Tensor, " batch"], truth: Batch, predicted: Batch, baseline: int, survey: Survey
) -> dict[str, Column]:
    """The columns of a batch; `baseline` of its examples get the classical fit, others NaN.

    index, is_lens, kind (see `scene.KINDS`), source_snr, theta_E, e1, e2 are the truth. theta_E in
    arcsec; psnr_* in dB and linear, display_psnr_* in the paper's pictures (three bands only);
    source_error_* in sky sigmas, source_correlation_* Pearson's, of an image against the true
    source. relative_exposure is against the survey's own.
    """
    columns = {
        "index": index,
        "is_lens": truth["is_lens"] > 0.5,
        **{name: truth[name] for name in ("kind", "source_snr", "theta_E", "e1", "e2")},
        **_predictions(truth, predicted),
        **_images(truth, predicted, baseline),
        **_pictures(truth, predicted),
        **_conditions(truth, survey),
    }
    return {name: column.cpu().numpy() for name, column in columns.items()}


def joined(parts: list[dict[str, Column]]) -> dict[str, Column]:
    """The rows of all `parts`, one after another."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _predictions(truth: Batch, predicted: Batch) -> dict[str, Tensor]:
    """p_lens, (θ_E, e1, e2), quantiles of θ_E, and PITs (NaN of what is no lens)."""
    lens = truth["is_lens"] > 0.5
    below = torch.from_numpy(pit(predicted, truth)).to(lens.device)
    below = torch.where(lens[:, None], below, torch.nan)
    mixture = Mixture.of(predicted)
    levels = {16: 0.16, 50: 0.5, 84: 0.84}
    return {
        "p_lens": predicted["p_lens"],
        **{f"{name}_predicted": predicted[name] for name in ("theta_E", "e1", "e2")},
        **{f"theta_E_{key}": mixture.quantile(p)[:, 0].exp() for key, p in levels.items()},
        **{f"{name}_pit": column for name, column in zip(PARAMETERS, below.T, strict=True)},
    }


def _images(truth: Batch, predicted: Batch, baseline: int) -> dict[str, Tensor]:
    """Errors of the images that claim to be clean, and of those that claim to be the source."""
    sigma, source = truth["sky_sigma"], truth["source"]
    columns = {
        "psnr_noisy": linear_psnr(truth["noisy"], truth["clean"], sigma),
        "psnr_denoised": linear_psnr(predicted["clean"], truth["clean"], sigma),
        "psnr_source": linear_psnr(predicted["source"], source, sigma),
    }
    for name, image in _claims(truth, predicted, baseline).items():
        columns[f"source_error_{name}"] = error_rms(image, source, sigma)
        columns[f"source_correlation_{name}"] = correlation(image, source, sigma)
    return columns


def _pictures(truth: Batch, predicted: Batch) -> dict[str, Tensor]:
    """PSNRs of the paper's Table 1: of noisy, denoised and clean images, and of the source."""
    if truth["noisy"].shape[1] != BANDS:
        return {}
    noisy, clean, source, denoised, chained = (
        calibrated(image, truth["zero_point"])
        for image in (*(truth[n] for n in IMAGES), predicted["clean"], predicted["source"])
    )
    return {
        "display_psnr_noisy": display_psnr(noisy, clean, noisy),
        "display_psnr_denoised": display_psnr(denoised, clean, noisy),
        "display_psnr_clean_vs_source": display_psnr(clean, source, noisy),
        "display_psnr_source_chained": display_psnr(chained, source, noisy),
    }


def _claims(truth: Batch, predicted: Batch, baseline: int) -> dict[str, Tensor]:
    """What each way of deblending, and doing nothing, takes for the source.

    The classical fit is made on the noisy image; its galaxy is subtracted from that, and from our
    denoised image, so that the two kinds of deblending meet at equal noise.
    """
    galaxy = _galaxies(truth, baseline)
    return {
        "noisy": truth["noisy"],
        "chained": predicted["source"],
        "baseline": truth["noisy"] - galaxy,
        "baseline_denoised": predicted["clean"] - galaxy,
    }


def _galaxies(truth: Batch, count: int) -> Float[Tensor, "batch band y x"]:
    """The classical fit's galaxy of the first `count` examples, NaN of the others."""
    images = torch.full_like(truth["noisy"], torch.nan)
    names = ("noisy", "sky_sigma", "psf_fwhm", "pixel_scale")
    for i, (noisy, sigma, fwhm, scale) in enumerate(
        zip(*(truth[name][:count] for name in names), strict=True)
    ):
        images[i] = fit_galaxy(noisy, sigma, fwhm, float(scale)).image
    return images


def _conditions(truth: Batch, survey: Survey) -> dict[str, Tensor]:
    """Shape, pixel scale, seeing (mean of the bands) and depth."""
    y, x = truth["noisy"].shape[-2:]
    scale = truth["pixel_scale"]
    return {
        "shape_y": torch.full_like(scale, y, dtype=torch.int32),
        "shape_x": torch.full_like(scale, x, dtype=torch.int32),
        "pixel_scale": scale,
        "psf_fwhm": truth["psf_fwhm"].mean(1),
        "relative_exposure": relative_exposure(truth["sky_sigma"], scale, survey),
    }


def relative_exposure(
    sky_sigma: Float[Tensor, "batch band"], pixel_scale: Float[Tensor, " batch"], survey: Survey
) -> Float[Tensor, " batch"]:
    """Exposure time over the survey's own, from the noise of empty sky in e⁻; mean over bands.

    Sky variance grows with time; a sky brighter than the survey's counts as more of it.
    """
    bands = survey.bands.values()
    sky = torch.tensor([band.sky(1.0) for band in bands]).to(sky_sigma)
    read = torch.tensor([b.visits * b.reads * b.read_noise**2 for b in bands]).to(sky_sigma)
    own = sky * pixel_scale[:, None] ** 2 + read
    return torch.log(sky_sigma**2 / own).mean(1).exp()
