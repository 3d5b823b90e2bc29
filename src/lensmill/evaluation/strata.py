"""Strata: figures of lenses by the S/N of their source, and by θ_E in units of the seeing."""

from collections.abc import Iterator
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import numpy as np

from lensmill.evaluation.calibration import inside
from lensmill.evaluation.metrics import auroc
from lensmill.evaluation.statistics import Array, Figure, figure, mean, median, share
from lensmill.evaluation.summary import SEEN, kept, scaled
from lensmill.evaluation.table import Table
from lensmill.evaluation.targets import Ranges

EDGES = {
    "source_snr": (0.0, 10.0, 20.0, 50.0, np.inf),
    "theta_E_over_fwhm": (0.0, 0.5, 1.0, 1.5, 2.0, np.inf),
}

PICTURES = (
    "display_psnr_denoised",
    "display_psnr_source_chained",
    "ssim_denoised",
    "ssim_source_chained",
)
"""Columns whose means are told, of pictures; not every table has them."""


def strata(table: Table, ranges: Ranges) -> dict[str, list[dict[str, Any]]]:
    """For each name in `EDGES`, the chain's figures of lenses from one edge to the next.

    ranges: of the targets in training, as for `summarise`.
    """
    mae = scaled(table, "chained", ranges).mean(1)
    over_fwhm = table["theta_E"] / table["psf_fwhm"]
    values = {"source_snr": table["source_snr"], "theta_E_over_fwhm": over_fwhm}
    return {name: list(_bins(table, mae, name, value)) for name, value in values.items()}


def _bins(table: Table, mae: Array, name: str, value: Array) -> Iterator[dict[str, Any]]:
    for low, high in pairwise(EDGES[name]):
        rows = table["is_lens"] & (value >= low) & (value < high)
        figures = _figures(table, mae, rows)
        yield {"from": low, "to": high, **{key: asdict(each) for key, each in figures.items()}}


def _figures(table: Table, mae: Array, rows: Array) -> dict[str, Figure]:
    """`completeness`: the share of lenses with p_lens > 0.5; `auroc`: against all non-lenses."""
    against = rows | ~table["is_lens"]
    return {
        "completeness": figure(share, table["p_lens"][rows] > 0.5),
        "auroc": figure(auroc, table["p_lens"][against], table["is_lens"][against]),
        **_posterior(table, rows),
        "mae": figure(mean, mae[rows]),
        **{f"{n}_mean": figure(mean, table[n][rows]) for n in PICTURES if n in table},
        **_counter_images(table, rows),
    }


def _counter_images(table: Table, rows: Array) -> dict[str, Figure]:
    if "counter_image_snr" not in table:
        return {}
    seen = rows & (table["counter_image_snr"] > SEEN)
    return {"counter_images_kept": kept(table["counter_image_flux_ratio_chained"][seen])}


def _posterior(table: Table, rows: Array) -> dict[str, Figure]:
    if "theta_E_50" not in table:
        return {}
    with np.errstate(divide="ignore"):
        error = np.abs(table["theta_E_50"][rows] / table["theta_E"][rows] - 1)
    return {
        "theta_E_relative_error_median": figure(median, error),
        "theta_E_coverage68": figure(share, inside(table["ln_theta_E_pit"][rows], 0.68)),
        "theta_E_sigma_median": figure(median, table["theta_E_sigma"][rows]),
    }
