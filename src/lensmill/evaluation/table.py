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
from lensmill.evaluation.claims import pictures
from lensmill.evaluation.counter_images import counter_image, flux_ratio, footprint
from lensmill.evaluation.metrics import correlation, error_rms, linear_psnr
from lensmill.evaluation.modules import WAYS
from lensmill.evaluation.posterior_checks import check, sharpness
from lensmill.evaluation.similarity import ssim
from lensmill.physics.display import BANDS, picture_psnr
from lensmill.physics.surveys import Survey
from lensmill.quantities import OOD, OOD_PARTS, POSTERIOR_MEAN, SOURCE, Batch
from lensmill.simulation.simulator import source_snr
from lensmill.stages.familiar import PARTS
from lensmill.stages.posterior import PARAMETERS, Mixture
from lensmill.stages.regress import true_parameters

Column = NDArray[Any]
Table = Mapping[str, Column]
"""Columns by name; see `rows` for the names."""


def rows(
    index: Int[Tensor, " batch"],
    truth: Batch,
    predicted: Mapping[str, Batch],
    baseline: int,
    survey: Survey,
) -> dict[str, Column]:
    """The columns of a batch; `baseline` of its examples get the classical fit, others NaN.

    predicted: what each of `modules.WAYS` came to. A column of the chain says what it is of, one of
    the others ends in _from_truth or _from_noisy. index, is_lens, kind (see `scene.KINDS`),
    source_snr, theta_E, e1, e2 are the truth. theta_E in arcsec; psnr_* in dB and linear,
    display_psnr_* and ssim_* of the paper's pictures (three bands only); source_error_* in sky
    sigmas, source_correlation_* Pearson's, of an image against the true source; *_flux_ratio_* of a
    deblended image over the true source. relative_exposure is against the survey's own. A chain
    that predicts pictures has no columns of fluxes, one without a posterior none of that, and
    weights that do not know what is usual have no ood_*.
    """
    chained = predicted["chained"]
    columns = {
        "index": index,
        "is_lens": truth["is_lens"] > 0.5,
        **{name: truth[name] for name in ("kind", "source_snr", "theta_E", "e1", "e2")},
        **_predictions(predicted),
        **_unlike(chained),
        **_posterior(truth, chained, int(index[0])),
        **_images(truth, predicted, baseline),
        **_pictures(truth, predicted),
        **_fluxes(truth, predicted),
        **_conditions(truth, survey),
    }
    return {name: column.cpu().numpy() for name, column in columns.items()}


def joined(parts: list[dict[str, Column]]) -> dict[str, Column]:
    """The rows of all `parts`, one after another."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def claimed(name: str, way: str) -> str:
    """The column of what a way claims for p_lens, theta_E, e1 or e2."""
    if way != "chained":
        return f"{name}_{way}"
    return name if name == "p_lens" else f"{name}_predicted"


def _predictions(predicted: Mapping[str, Batch]) -> dict[str, Tensor]:
    """p_lens and (θ_E, e1, e2), as far as each way has them."""
    return {
        claimed(name, way): predicted[way][name]
        for way in WAYS
        for name in ("p_lens", "theta_E", "e1", "e2")
        if name in predicted[way]
    }


def _unlike(chained: Batch) -> dict[str, Tensor]:
    """How unlike the training each object is to the chain: in all, and in each of `PARTS`."""
    if OOD.name not in chained:
        return {}
    columns = zip(PARTS, chained[OOD_PARTS.name].unbind(1), strict=True)
    each = {f"ood_{part}_chained": column for part, column in columns}
    return {"ood_chained": chained[OOD.name], **each}


def _posterior(truth: Batch, predicted: Batch, seed: int) -> dict[str, Tensor]:
    """Quantiles and widths of the chain's posterior; its checks, NaN of what is no lens.

    theta_E_sigma: half of the central 68 %, arcsec; e1_sigma, e2_sigma: standard deviations.
    """
    if POSTERIOR_MEAN.name not in predicted:
        return {}
    mixture = Mixture.of(predicted)
    levels = {16: 0.16, 50: 0.5, 84: 0.84}
    quantile = {key: mixture.quantile(p)[:, 0].exp() for key, p in levels.items()}
    width = sharpness(mixture)
    return {
        **{f"theta_E_{key}": column for key, column in quantile.items()},
        "theta_E_sigma": 0.5 * (quantile[84] - quantile[16]),
        "e1_sigma": width[:, 1],
        "e2_sigma": width[:, 2],
        **_checks(truth, predicted, seed),
    }


def _checks(truth: Batch, predicted: Batch, seed: int) -> dict[str, Tensor]:
    """PITs and ranks of each parameter, TARP's share of all together."""
    lens = truth["is_lens"] > 0.5
    found = check(Mixture.of(predicted), true_parameters(truth), seed)
    columns = {"pit": torch.from_numpy(pit(predicted, truth)), "rank": found["rank"].double()}
    each = {
        f"{name}_{kind}": column
        for kind, values in columns.items()
        for name, column in zip(PARAMETERS, values.T, strict=True)
    }
    return {k: torch.where(lens, v, torch.nan) for k, v in {**each, "tarp": found["tarp"]}.items()}


def _images(truth: Batch, predicted: Mapping[str, Batch], baseline: int) -> dict[str, Tensor]:
    """Errors of the images that claim to be clean, and of those that claim to be the source."""
    sigma, source, chained = truth["sky_sigma"], truth["source"], predicted["chained"]
    if SOURCE.name not in chained:
        return {}
    columns = {
        "psnr_noisy": linear_psnr(truth["noisy"], truth["clean"], sigma),
        "psnr_denoised": linear_psnr(chained["clean"], truth["clean"], sigma),
        "psnr_source": linear_psnr(chained["source"], source, sigma),
        "psnr_source_from_truth": linear_psnr(predicted["from_truth"]["source"], source, sigma),
    }
    for name, image in _claims(truth, chained, baseline).items():
        columns[f"source_error_{name}"] = error_rms(image, source, sigma)
        columns[f"source_correlation_{name}"] = correlation(image, source, sigma)
    return columns


def _pictures(truth: Batch, predicted: Mapping[str, Batch]) -> dict[str, Tensor]:
    """PSNRs of the paper's Table 1: of noisy, denoised and clean images, and of the source; the
    structural similarity of what the chain makes."""
    if truth["noisy"].shape[1] != BANDS:
        return {}
    picture = pictures(truth, predicted)
    pairs = {
        "noisy": ("noisy", "clean"),
        "denoised": ("denoised", "clean"),
        "clean_vs_source": ("clean", "source"),
        "denoised_vs_source": ("denoised", "source"),
        "source_chained": ("deblended_chained", "source"),
        "source_from_truth": ("deblended_from_truth", "source"),
    }
    psnr = {
        f"display_psnr_{name}": picture_psnr(picture[one], picture[other])
        for name, (one, other) in pairs.items()
    }
    made = {name: pairs[name] for name in ("denoised", "source_chained", "source_from_truth")}
    return psnr | {
        f"ssim_{n}": ssim(picture[one], picture[other]) for n, (one, other) in made.items()
    }


def _fluxes(truth: Batch, predicted: Mapping[str, Batch]) -> dict[str, Tensor]:
    """S/N of each lens' counter-image (NaN where there is none), and which flux is left of it.

    Beside it the flux of the whole source image, where that is brighter than a tenth of its peak.
    """
    if SOURCE.name not in predicted["chained"]:
        return {}
    source, sigma = truth["source"], truth["sky_sigma"]
    counter = counter_image(
        source, sigma, truth["theta_E"], truth["psf_fwhm"].mean(1), truth["pixel_scale"]
    )
    exists = counter.exists & (truth["is_lens"] > 0.5)
    snr = source_snr(truth["clean"], source * counter.region[:, None], sigma)
    columns = {"counter_image_snr": torch.where(exists, snr, torch.nan)}
    whole = footprint(source, sigma)
    for way in ("chained", "from_truth"):
        image = predicted[way]["source"]
        ratio = flux_ratio(image, source, sigma, counter.region)
        columns[f"counter_image_flux_ratio_{way}"] = torch.where(exists, ratio, torch.nan)
        columns[f"source_flux_ratio_{way}"] = flux_ratio(image, source, sigma, whole)
    return columns


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


def shared(table: Table, limits: Table) -> tuple[dict[str, Column], dict[str, Column]]:
    """The rows of both tables of the systems that both have, in the same order.

    ValueError where they are not the same systems: an index is that of a scene of some recipe.
    """
    _, ours, theirs = np.intersect1d(table["index"], limits["index"], return_indices=True)
    first, second = ({k: v[r] for k, v in t.items()} for t, r in ((table, ours), (limits, theirs)))
    told = [name for name in ("kind", "source_snr") if name in first and name in second]
    if not all(np.allclose(first[name], second[name], rtol=1e-3) for name in told):
        raise ValueError(
            "limits and evaluation are of different systems: of another recipe or seed"
        )
    return first, second


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
