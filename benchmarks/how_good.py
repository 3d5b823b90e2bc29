"""Write the measured block of docs/how-good-is-it.md from the files that measured it.

    lensmill evaluate --recipe lsst --out EVALUATION_LSST --count 1000 --baseline 0
    python benchmarks/how_good.py

That evaluation.json of lsst.toml lies in benchmarks/results/evaluation_lsst.json.
"""

import json
from pathlib import Path
from statistics import median
from typing import Any

from lensmill.simulation.scene import KINDS
from lensmill.weights import FOLDER

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/how-good-is-it.md"
EVALUATIONS = {
    "survey.toml": FOLDER / "evaluation.json",
    "lsst.toml": ROOT / "benchmarks/results/evaluation_lsst.json",
}
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"

ROWS = {
    "denoise_gain_db_median": "denoising: gain in linear PSNR over the noisy input, dB (median)",
    "psnr_noisy_db_median": "linear PSNR of the noisy input, dB (median)",
    "psnr_denoised_db_median": "linear PSNR of the denoised image, dB (median)",
    "deblend_error_chained_median": "source image: rms error of the chain, sky σ (median)",
    "deblend_error_baseline_median": "… of the classical fit subtracted from the input",
    "deblend_error_baseline_denoised_median": "… of the classical fit subtracted from our denoised",
    "deblend_beats_baseline_share": "share of systems where the chain beats the classical fit",
    "deblend_beats_baseline_denoised_share": "… where it beats the classical fit on our denoised",
    "deblend_correlation_chained_median": "correlation with the true source, chain (median)",
    "deblend_correlation_baseline_median": "… classical fit (median)",
    "source_flux_ratio_median_chained": "flux of lensed sources, deblended over true (median)",
    "counter_images_kept_chained": "counter-images of S/N > 5 whose flux is kept within 30 %",
    "counter_images_kept_from_truth": "… deblended from the true clean image",
    "accuracy": "accuracy of p_lens > 0.5, all S/N",
    "auroc": "AUROC, all S/N",
    "auroc_snr20": "AUROC, sources of S/N > 20 against equally bright unlensed ones",
    "auroc_snr20_all_negatives": "AUROC, sources of S/N > 20 against all non-lenses",
    "expected_calibration_error": "expected calibration error of p_lens",
    "theta_E_relative_error_median": "relative error of θ_E, all lenses (median)",
    "theta_E_relative_error_median_snr20": "relative error of θ_E, sources of S/N > 20 (median)",
    "e1_error_median_snr20": "error of e1, sources of S/N > 20 (median)",
    "e2_error_median_snr20": "error of e2, sources of S/N > 20 (median)",
    "theta_E_coverage68_snr20": "68 % intervals of θ_E that hold the truth, S/N > 20",
    "theta_E_coverage68": "68 % intervals of θ_E that hold the truth, all lenses",
    "e1_coverage68": "… of e1",
    "e2_coverage68": "… of e2",
    "theta_E_relative_bias_median": "bias: posterior's median θ_E over the true, − 1; all (median)",
    "theta_E_relative_bias_median_snr_0_10": "… sources of S/N < 10",
    "theta_E_relative_bias_median_snr_10_20": "… 10–20",
    "theta_E_relative_bias_median_snr_20_50": "… 20–50",
    "theta_E_relative_bias_median_snr_50_inf": "… > 50",
    "theta_E_pit_distance": "PIT distance of θ_E (0: calibrated at every level; chance: 0.87/√n)",
    "e1_pit_distance": "… of e1",
    "e2_pit_distance": "… of e2",
    "tarp_distance": "TARP distance of all three together (the same, and up to 0.01 of grain)",
    **{
        f"false_positive_rate_{kind}": f"non-lenses of p_lens > 0.5: {kind.replace('_', ' ')}"
        for kind in KINDS
        if kind != "lens"
    },
}


def simulated() -> str:
    """The table of the evaluations on each recipe."""
    found = {name: json.loads(path.read_text()) for name, path in EVALUATIONS.items()}
    names = list(found)
    head = f"| figure | {' | '.join(names)} | n, {' | n, '.join(names)} |"
    columns = list(found.values())
    rows = [_row(text, [each.get(key) for each in columns]) for key, text in ROWS.items()]
    return "\n".join([head, "|---" * (2 * len(names) + 1) + "|", *rows])


def _row(text: str, figures: list[dict[str, float] | None]) -> str:
    """None: an older evaluation, or one without such systems, does not have it."""
    values = [f"{f['value']:.3g} ± {f['error']:.2g}" if f and f["n"] else "–" for f in figures]
    counts = [str(f["n"]) if f else "–" for f in figures]
    return f"| {text} | {' | '.join(values)} | {' | '.join(counts)} |"


def real() -> str:
    """The tables of benchmarks/real_pixels.py."""
    result = json.loads((ROOT / "benchmarks/results/real_pixels.json").read_text())
    arcs = [
        "| system | deblended | … compared | classical fit | p_lens with arcs | p_lens without |",
        "|---|---|---|---|---|---|",
    ]
    compared = result.get("against") or {"arcs": [], "correlation_deblended_median": None}
    before = {row["id"]: row["correlation_deblended"] for row in compared["arcs"]}
    with_arcs, without = (result["p_lens"][f"hsc_{kind}_arcs"] for kind in ("with", "without"))
    for row in result["arcs"]:
        name = row["id"]
        found = (row["correlation_deblended"], before.get(name), row["correlation_baseline"])
        scores = f"{with_arcs[name]:.3f} | {without[name]:.3f}"
        arcs.append(f"| {name} | {_correlations(found)} | {scores} |")
    middle = "correlation_deblended_median"
    found = (result[middle], compared[middle], result["correlation_baseline_median"])
    arcs.append(f"| median | {_correlations(found)} | | |")
    return "\n".join([*arcs, "", *_others(result["p_lens"]), "", *_told_apart(result)])


def _correlations(found: tuple[float | None, ...]) -> str:
    return " | ".join("–" if each is None else f"{each:.2f}" for each in found)


def _told_apart(result: dict[str, Any]) -> list[str]:
    """AUROC of p_lens, of what it is set against, and of the classical score."""
    columns = {"p_lens": result, "p_lens, compared": result.get("against")}
    known = {name: each["auroc"] for name, each in columns.items() if each}
    known["classical score"] = result["classical"]["auroc"]
    lines = [
        f"| AUROC, HSC with arcs from | n | {' | '.join(known)} |",
        "|---" * (len(known) + 2) + "|",
    ]
    for other, figure in result["auroc"].items():
        values = (
            f"{each[other]['value']:.2f} ± {each[other]['error']:.2f}" for each in known.values()
        )
        lines.append(f"| {other} | {figure['n']} | {' | '.join(values)} |")
    return lines


def _others(p_lens: dict[str, dict[str, float]]) -> list[str]:
    lines = ["| real objects | n | p_lens: median | largest | above 0.5 |", "|---|---|---|---|---|"]
    for name, scores in p_lens.items():
        values = sorted(scores.values())
        above = sum(value > 0.5 for value in values)
        middle = median(values)
        lines.append(f"| {name} | {len(values)} | {middle:.3f} | {values[-1]:.3f} | {above} |")
    return lines


def main() -> None:
    text = PAGE.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    blocks = f"### Simulated, held out\n\n{simulated()}\n\n### Real pixels\n\n{real()}\n"
    PAGE.write_text(before + BEGIN + blocks + END + after)


if __name__ == "__main__":
    main()
