"""Table 1 of Madireddy et al. 2019: every row, measured on held-out systems of a recipe.

    python benchmarks/table1.py WEIGHTS RECIPE [COUNT] [--out FOLDER] [--limits LIMITS.parquet]
        [--train COUNT] [--result FILE]

Evaluates the weights on COUNT systems (12000) of the test split and a quarter as many of the
training split (for Figure 3), makes the report with the figures in FOLDER (table1), and writes
FILE (benchmarks/results/table1.json, which is of the shipped compact weights). What FOLDER holds
already is not evaluated again. Limits are those of the same systems, as the limits verb writes
them; without them there are no *_limit, *_distance (ours less the limit, on the systems that have
one) and *_over_limit_theta_e. On a GPU, if torch sees one.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lensmill.evaluation.benchmark import FULL, benchmark
from lensmill.evaluation.files import LIMITS, Evaluation
from lensmill.evaluation.least import beside
from lensmill.evaluation.report import table_one_of
from lensmill.evaluation.statistics import figure, mean, median
from lensmill.evaluation.summary import BRIGHT
from lensmill.evaluation.table import shared
from lensmill.training.recipe import read_recipe

RESULTS = Path(__file__).parent / "results" / "table1.json"
KEYS = {
    "noisy_display_psnr": "display_psnr_noisy_mean",
    "denoised_display_psnr": "display_psnr_denoised_mean",
    "clean_vs_source_display_psnr": "display_psnr_clean_vs_source_mean",
    "denoised_vs_source_display_psnr": "display_psnr_denoised_vs_source_mean",
    "deblended_from_truth_display_psnr": "display_psnr_source_from_truth_mean",
    "deblended_chained_display_psnr": "display_psnr_source_chained_mean",
    "denoised_ssim": "ssim_denoised_mean",
    "deblended_from_truth_ssim": "ssim_source_from_truth_mean",
    "deblended_chained_ssim": "ssim_source_chained_mean",
    "accuracy_chained": "accuracy",
    "accuracy_from_truth": "accuracy_from_truth",
    "accuracy_from_noisy": "accuracy_from_noisy",
    "mae_chained": "mae_chained",
    "mae_from_truth": "mae_from_truth",
    "mae_from_noisy": "mae_from_noisy",
    **{
        f"coverage{level}_{name.lower()}": f"{name}_coverage{level}"
        for level in (50, 68, 90, 95)
        for name in ("theta_E", "e1", "e2")
    },
    **{f"pit_distance_{n.lower()}": f"{n}_pit_distance" for n in ("theta_E", "e1", "e2")},
    "tarp_distance": "tarp_distance",
    "counter_images_kept": "counter_images_kept_chained",
    "source_flux_kept": "source_flux_ratio_median_chained",
}
"""Ours, and the figure of the evaluation that it is."""
MEDIAN_MISS = 0.6745
"""Median of |x| of a standard normal x."""


def result(evaluation: Evaluation, command: str) -> dict[str, Any]:
    """The figures as {value, error, n}, and where they came from."""
    summary = evaluation.summary
    known = {key: summary[name] for key, name in KEYS.items() if name in summary}
    provenance = summary["provenance"]
    return {
        **known,
        **beside_limits(evaluation),
        **over_limit(evaluation),
        "commit": provenance["commit"],
        "weights": provenance["weights"],
        "recipe_digest": provenance["recipe_digest"],
        "target_ranges": provenance["target_ranges"],
        "time": provenance["time"],
        "command": command,
    }


def beside_limits(evaluation: Evaluation) -> dict[str, Any]:
    """The limit of each figure that has one, and ours less the limit: of all, of lenses alone."""
    if evaluation.table is None or evaluation.limits is None:
        return {}
    lens = evaluation.limits["is_lens"].astype(bool)
    systems = {"": evaluation.limits}
    systems["_lenses"] = {name: column[lens] for name, column in evaluation.limits.items()}
    ranges, found = evaluation.summary["provenance"]["target_ranges"], {}
    for key, name in KEYS.items():
        for end, limits in systems.items():
            pair = beside(name, evaluation.table, limits, ranges)
            if pair is not None and not (end and "mae" in key):  # that is of lenses anyway
                found[f"{key}_limit{end}"] = vars(figure(mean, pair[1]))
                found[f"{key}_distance{end}"] = vars(figure(mean, pair[0] - pair[1]))
    return found


def over_limit(evaluation: Evaluation) -> dict[str, Any]:
    """Medians over lenses of S/N > 20, in least σs of ln θ_E: of the posterior's σ (half of its
    68 %), and of how far its median is off, in units that are 1 for a Gaussian at the limit."""
    if evaluation.table is None or evaluation.limits is None:
        return {}
    if "theta_E_84" not in evaluation.table:  # the paper's networks have no posterior
        return {}
    chain, best = shared(evaluation.table, evaluation.limits)
    least = best["sigma_ln_theta_E_limit"]
    rows = chain["is_lens"] & (chain["source_snr"] > BRIGHT) & np.isfinite(least)
    low, middle, high, true = (
        np.log(chain[name][rows]) for name in ("theta_E_16", "theta_E_50", "theta_E_84", "theta_E")
    )
    sizes = {"sigma": 0.5 * (high - low), "miss": np.abs(middle - true) / MEDIAN_MISS}
    return {
        f"{name}_over_limit_theta_e": vars(figure(median, size / least[rows]))
        for name, size in sizes.items()
    }


def made_by(out: Path) -> dict[str, Any]:
    """What the limits verb wrote of how the table in `out` was made."""
    path = (out / LIMITS).with_suffix(".json")
    return {"limits": json.loads(path.read_text())["provenance"]} if path.is_file() else {}


def main() -> None:
    """Evaluate, report, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("count", type=int, nargs="?", default=FULL)
    parser.add_argument("--out", type=Path, default=Path("table1"))
    parser.add_argument("--limits", type=Path)
    parser.add_argument("--result", type=Path, default=RESULTS)
    parser.add_argument("--train", type=int, help="systems of the training split; 0: none")
    given = parser.parse_args()
    evaluation = benchmark(
        given.weights,
        read_recipe(given.recipe),
        given.out,
        count=given.count,
        train=given.train,
        limits=given.limits,
        device="cuda" if torch.cuda.is_available() else "cpu",
    )
    print(table_one_of(given.out))
    command = " ".join(["python benchmarks/table1.py", *sys.argv[1:]])
    given.result.parent.mkdir(exist_ok=True)
    found = {**result(evaluation, command), **made_by(given.out)}
    given.result.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
