"""Summary: the figures of an evaluation, each with its error and the number it rests on."""

from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from lensmill.evaluation.calibration import expected_calibration_error, inside, reliability
from lensmill.evaluation.metrics import auroc, purity_at_completeness, tpr_at_false_positives
from lensmill.evaluation.modules import WAYS
from lensmill.evaluation.posterior_checks import DRAWS as POSTERIOR_DRAWS
from lensmill.evaluation.posterior_checks import expected_coverage, histogram, uniformity_distance
from lensmill.evaluation.statistics import Array, Figure, figure, mean, median, share
from lensmill.evaluation.table import Table, claimed
from lensmill.evaluation.targets import Ranges, scaled_errors, targets
from lensmill.simulation.scene import KINDS
from lensmill.stages.familiar import UNLIKE
from lensmill.stages.posterior import PARAMETERS

BRIGHT = 20.0
"""S/N of a source above which a lens counts as observable (Collett 2015)."""
SNR_EDGES = (0.0, 10.0, 20.0, 50.0, float("inf"))
"""Of strata of the source's S/N."""
LEVELS = (0.5, 0.68, 0.9, 0.95)
PREVALENCES = ("1e-3", "1e-4", "1e-5")
"""Shares of lenses on the sky, among galaxies that one looks at."""
SEEN = 5.0
"""S/N above which a counter-image should not be lost."""
KEPT = 0.3
"""Relative error of its flux up to which it is not."""
BINS = 20


def summarise(table: Table, ranges: Ranges) -> dict[str, Any]:
    """Every figure of a table as {value, error, n}, of the chain unless its name ends otherwise.

    A table without fluxes or without a posterior has no figures of them.
    ranges: of the targets in training, see `targets`. Beside the figures: the reliability curve of
    p_lens, histograms of PITs and ranks, and TARP's expected coverage.
    """
    figures = {
        **_images(table),
        **_finding(table),
        **_modelling(table),
        **_counter_images(table),
        **_unlike(table),
        **_posterior(table),
    }
    for way in WAYS:
        figures |= _finding_by(table, way) | _modelling_by(table, way, ranges)
    curve = reliability(table["p_lens"], table["is_lens"])
    return {
        **{name: asdict(each) for name, each in figures.items()},
        "reliability": {name: column.tolist() for name, column in vars(curve).items()},
        "histograms": _histograms(table),
    }


def _images(table: Table) -> dict[str, Figure]:
    """Denoising; deblending against the classical fit, on the systems that have one."""
    columns = {n: each for n, each in table.items() if n.startswith(("display_psnr", "ssim"))}
    pictures = {f"{name}_mean": figure(mean, column) for name, column in columns.items()}
    if "psnr_denoised" not in table:
        return pictures
    gain = table["psnr_denoised"] - table["psnr_noisy"]
    error = {
        name: table[f"source_error_{name}"]
        for name in ("noisy", "chained", "baseline", "baseline_denoised")
    }
    fitted = np.isfinite(error["baseline"])
    error = {name: column[fitted] for name, column in error.items()}
    correlations = {name: table[f"source_correlation_{name}"][fitted] for name in error}
    chained = error["chained"]
    return {
        **pictures,
        "psnr_noisy_db_median": figure(median, table["psnr_noisy"]),
        "psnr_denoised_db_median": figure(median, table["psnr_denoised"]),
        "denoise_gain_db_median": figure(median, gain),
        "psnr_source_db_median": figure(median, table["psnr_source"]),
        "psnr_source_db_median_from_truth": figure(median, table["psnr_source_from_truth"]),
        **{f"deblend_error_{name}_median": figure(median, each) for name, each in error.items()},
        **{
            f"deblend_correlation_{name}_median": figure(median, each)
            for name, each in correlations.items()
        },
        "deblend_beats_baseline_share": figure(share, chained < error["baseline"]),
        "deblend_beats_baseline_denoised_share": figure(
            share, chained < error["baseline_denoised"]
        ),
    }


def _finding(table: Table) -> dict[str, Figure]:
    """Is it a lens? What is asked of the chain alone."""
    score, lens = table["p_lens"], table["is_lens"]
    bright = table["source_snr"] > BRIGHT
    kinds = {name: table["kind"] == number for number, name in enumerate(KINDS) if name != "lens"}
    return {
        "auroc_snr20": figure(auroc, score[bright], lens[bright]),
        "auroc_snr20_all_negatives": figure(auroc, score[bright | ~lens], lens[bright | ~lens]),
        "expected_calibration_error": figure(expected_calibration_error, score, lens),
        **{
            f"false_positive_rate_{name}": figure(share, score[rows] > 0.5)
            for name, rows in kinds.items()
            if rows.any()
        },
    }


def _finding_by(table: Table, way: str) -> dict[str, Figure]:
    """Is it a lens? As each way of asking has it."""
    if claimed("p_lens", way) not in table:
        return {}
    score, lens, end = table[claimed("p_lens", way)], table["is_lens"], _end(way)
    return {
        f"accuracy{end}": figure(share, (score > 0.5) == lens),
        f"auroc{end}": figure(auroc, score, lens),
        f"tpr0{end}": figure(partial(tpr_at_false_positives, count=0), score, lens),
        f"tpr10{end}": figure(partial(tpr_at_false_positives, count=10), score, lens),
        **{
            f"purity_at_{prevalence}{end}": figure(
                partial(purity_at_completeness, prevalence=float(prevalence)), score, lens
            )
            for prevalence in PREVALENCES
        },
    }


def _modelling(table: Table) -> dict[str, Figure]:
    """The mass of true lenses, by the chain's posterior."""
    if "theta_E_50" not in table:
        return {}
    lens = table["is_lens"]
    bright = lens & (table["source_snr"] > BRIGHT)
    signed = table["theta_E_50"] / np.where(lens, table["theta_E"], np.nan) - 1
    error = np.abs(signed)
    return {
        "theta_E_relative_bias_median": figure(median, signed[lens]),
        **{
            f"theta_E_relative_bias_median_snr_{low:g}_{high:g}": figure(median, signed[rows])
            for low, high, rows in _strata(table)
        },
        "theta_E_relative_error_median": figure(median, error[lens]),
        "theta_E_relative_error_median_snr20": figure(median, error[bright]),
        "theta_E_coverage68_snr20": _coverage(table["ln_theta_E_pit"][bright], 0.68),
        "e1_error_median_snr20": figure(median, _miss(table, "e1", "chained")[bright]),
        "e2_error_median_snr20": figure(median, _miss(table, "e2", "chained")[bright]),
        **{
            f"{name.removeprefix('ln_')}_coverage{round(100 * level)}": _coverage(
                table[f"{name}_pit"][lens], level
            )
            for name in PARAMETERS
            for level in LEVELS
        },
    }


def _strata(table: Table) -> Iterator[tuple[float, float, Array]]:
    """Lenses by the S/N of their source: from, to, and which they are."""
    snr = table["source_snr"]
    for low, high in pairwise(SNR_EDGES):
        yield low, high, table["is_lens"] & (snr >= low) & (snr < high)


def _modelling_by(table: Table, way: str, ranges: Ranges) -> dict[str, Figure]:
    """The mass of true lenses: mean |error| of the paper's scaled targets, and of e1 and e2."""
    if claimed("theta_E", way) not in table:
        return {}
    lens = table["is_lens"]
    raw, circular = (scaled(table, way, ranges, around) for around in (False, True))
    return {
        f"mae_{way}": figure(mean, raw[lens].mean(1)),
        f"mae_circular_{way}": figure(mean, circular[lens].mean(1)),
        f"theta_E_error_mean_{way}": figure(mean, _miss(table, "theta_E", way)[lens]),
        f"e1_error_mean_{way}": figure(mean, _miss(table, "e1", way)[lens]),
        f"e2_error_mean_{way}": figure(mean, _miss(table, "e2", way)[lens]),
    }


def scaled(table: Table, way: str, ranges: Ranges, circular: bool = False) -> Array:
    """`scaled_errors` of a way's θ_E, q and φ: (example, target); of lenses they mean something."""
    predicted = targets(*(table[claimed(name, way)] for name in ("theta_E", "e1", "e2")))
    truth = targets(*(table[name] for name in ("theta_E", "e1", "e2")))
    return scaled_errors(predicted, truth, ranges, circular)


def _counter_images(table: Table) -> dict[str, Figure]:
    """What is left of counter-images that can be seen, and of the whole light of lensed sources."""
    if "counter_image_snr" not in table:
        return {}
    lens, seen = table["is_lens"], table["counter_image_snr"] > SEEN
    counter, source = (
        {way: table[f"{name}_flux_ratio_{way}"] for way in ("chained", "from_truth")}
        for name in ("counter_image", "source")
    )
    return {
        **{f"counter_images_kept_{way}": kept(ratio[seen]) for way, ratio in counter.items()},
        **{
            f"counter_image_flux_ratio_median_{way}": figure(median, ratio[seen])
            for way, ratio in counter.items()
        },
        **{
            f"source_flux_ratio_median_{way}": figure(median, ratio[lens])
            for way, ratio in source.items()
        },
    }


def kept(ratio: Array) -> Figure:
    """The share of counter-images that are not lost, of their deblended over their true flux."""
    return figure(share, np.abs(ratio - 1) < KEPT)


def _unlike(table: Table) -> dict[str, Figure]:
    """How unlike the training the systems are, and how many are flagged."""
    if "ood_chained" not in table:
        return {}
    ood = table["ood_chained"]
    return {"ood_median": figure(median, ood), "ood_flagged": figure(share, ood > UNLIKE)}


def _posterior(table: Table) -> dict[str, Figure]:
    """Sharpness, and how far PITs and TARP's shares are from uniform."""
    if "tarp" not in table:
        return {}
    lens = table["is_lens"]
    return {
        **{
            f"{name}_sigma_median": figure(median, table[f"{name}_sigma"][lens])
            for name in ("theta_E", "e1", "e2")
        },
        **{
            f"{name.removeprefix('ln_')}_pit_distance": figure(
                uniformity_distance, table[f"{name}_pit"][lens]
            )
            for name in PARAMETERS
        },
        "tarp_distance": figure(uniformity_distance, table["tarp"][lens]),
    }


def _histograms(table: Table) -> dict[str, list[float]]:
    """Counts of PITs and of ranks in twenty bins, and TARP's expected coverage at twenty levels."""
    if "tarp" not in table:
        return {}
    lens = table["is_lens"]
    levels = np.arange(1, BINS + 1) / BINS
    ranks = {
        name: (table[f"{name}_rank"][lens] + 0.5) / (POSTERIOR_DRAWS + 1) for name in PARAMETERS
    }
    return {
        **{f"{n}_pit": histogram(table[f"{n}_pit"][lens], BINS).tolist() for n in PARAMETERS},
        **{f"{name}_rank": histogram(value, BINS).tolist() for name, value in ranks.items()},
        "tarp_expected_coverage": expected_coverage(table["tarp"][lens], levels).tolist(),
    }


def _coverage(pit: Array, level: float) -> Figure:
    return figure(share, inside(pit, level))


def _miss(table: Table, name: str, way: str) -> Array:
    return np.abs(table[claimed(name, way)] - table[name])


def _end(way: str) -> str:
    """What a figure's name ends in: nothing, for the chain."""
    return "" if way == "chained" else f"_{way}"
