"""Summary: the figures of an evaluation, each with its error and the number it rests on."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lensmill.evaluation.calibration import coverage, expected_calibration_error, reliability
from lensmill.evaluation.metrics import auroc, tpr_at_false_positives
from lensmill.evaluation.table import Table
from lensmill.stages.posterior import PARAMETERS

BRIGHT = 20.0
"""S/N of a source above which a lens counts as observable (Collett 2015)."""
LEVELS = (0.5, 0.68, 0.9, 0.95)
DRAWS = 200

Array = NDArray[Any]
Statistic = Callable[..., float]


@dataclass(frozen=True)
class Figure:
    """A value, its bootstrap standard error, and how many examples it rests on."""

    value: float
    error: float
    n: int


def figure(statistic: Statistic, *columns: Array) -> Figure:
    """`statistic(*columns)` with the spread of `DRAWS` resamplings; NaN of no example."""
    count = len(columns[0])
    if count == 0:
        return Figure(float("nan"), float("nan"), 0)
    generator = np.random.default_rng(count)
    chosen = generator.integers(count, size=(DRAWS, count))
    draws = np.array([statistic(*(column[rows] for column in columns)) for rows in chosen])
    finite = draws[np.isfinite(draws)]
    error = float(finite.std()) if len(finite) else float("nan")
    return Figure(float(statistic(*columns)), error, count)


def summarise(table: Table) -> dict[str, Any]:
    """Every figure of a table as {value, error, n}, and the reliability curve of p_lens."""
    figures = {**_images(table), **_finding(table), **_modelling(table)}
    curve = reliability(table["p_lens"], table["is_lens"])
    return {
        **{name: asdict(each) for name, each in figures.items()},
        "reliability": {name: column.tolist() for name, column in vars(curve).items()},
    }


def _images(table: Table) -> dict[str, Figure]:
    """Denoising; deblending against the classical fit, on the systems that have one."""
    gain = table["psnr_denoised"] - table["psnr_noisy"]
    error = {
        name: table[f"source_error_{name}"]
        for name in ("noisy", "chained", "baseline", "baseline_denoised")
    }
    fitted = np.isfinite(error["baseline"])
    error = {name: column[fitted] for name, column in error.items()}
    correlations = {name: table[f"source_correlation_{name}"][fitted] for name in error}
    chained = error["chained"]
    pictures = {name: column for name, column in table.items() if name.startswith("display_psnr")}
    return {
        **{f"{name}_mean": figure(_mean, column) for name, column in pictures.items()},
        "psnr_noisy_db_median": figure(_median, table["psnr_noisy"]),
        "psnr_denoised_db_median": figure(_median, table["psnr_denoised"]),
        "denoise_gain_db_median": figure(_median, gain),
        "psnr_source_db_median": figure(_median, table["psnr_source"]),
        **{f"deblend_error_{name}_median": figure(_median, each) for name, each in error.items()},
        **{
            f"deblend_correlation_{name}_median": figure(_median, each)
            for name, each in correlations.items()
        },
        "deblend_beats_baseline_share": figure(_share, chained < error["baseline"]),
        "deblend_beats_baseline_denoised_share": figure(
            _share, chained < error["baseline_denoised"]
        ),
    }


def _finding(table: Table) -> dict[str, Figure]:
    """Is it a lens?"""
    score, lens = table["p_lens"], table["is_lens"]
    bright = table["source_snr"] > BRIGHT
    return {
        "accuracy": figure(_share, (score > 0.5) == lens),
        "auroc": figure(auroc, score, lens),
        "auroc_snr20": figure(auroc, score[bright], lens[bright]),
        "auroc_snr20_all_negatives": figure(auroc, score[bright | ~lens], lens[bright | ~lens]),
        "tpr0": figure(_tpr0, score, lens),
        "tpr10": figure(_tpr10, score, lens),
        "expected_calibration_error": figure(expected_calibration_error, score, lens),
    }


def _modelling(table: Table) -> dict[str, Figure]:
    """The mass of true lenses."""
    lens = table["is_lens"]
    bright = lens & (table["source_snr"] > BRIGHT)
    error = np.abs(table["theta_E_50"] / np.where(lens, table["theta_E"], np.nan) - 1)
    return {
        "theta_E_relative_error_median": figure(_median, error[lens]),
        "theta_E_relative_error_median_snr20": figure(_median, error[bright]),
        "theta_E_coverage68_snr20": _coverage(table["ln_theta_E_pit"][bright], 0.68),
        "e1_error_median_snr20": figure(_median, _miss(table, "e1")[bright]),
        "e2_error_median_snr20": figure(_median, _miss(table, "e2")[bright]),
        **{
            f"{name.removeprefix('ln_')}_coverage{round(100 * level)}": _coverage(
                table[f"{name}_pit"][lens], level
            )
            for name in PARAMETERS
            for level in LEVELS
        },
    }


def _coverage(pit: Array, level: float) -> Figure:
    return figure(lambda column: coverage(column, level), pit)


def _miss(table: Table, name: str) -> Array:
    return np.abs(table[f"{name}_predicted"] - table[name])


def _median(column: Array) -> float:
    """The median of what is known."""
    known = column[~np.isnan(column)]
    return float(np.median(known)) if len(known) else float("nan")


def _mean(column: Array) -> float:
    """The mean of what is finite: no picture is perfect, but that of a sky without source is."""
    finite = column[np.isfinite(column)]
    return float(finite.mean()) if len(finite) else float("nan")


def _share(column: Array) -> float:
    return float(column.mean())


def _tpr0(score: Array, lens: Array) -> float:
    return tpr_at_false_positives(score, lens, 0)


def _tpr10(score: Array, lens: Array) -> float:
    return tpr_at_false_positives(score, lens, 10)
