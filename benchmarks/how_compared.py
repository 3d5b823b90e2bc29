"""Write the measured blocks of docs/how-does-it-compare-with-the-paper.md from what measured them.

python benchmarks/how_compared.py
"""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/how-does-it-compare-with-the-paper.md"
RESULTS = ROOT / "benchmarks/results"
BEGIN, END = "<!-- {}: begin -->\n", "<!-- {}: end -->\n"

ROWS = (
    ("noisy against clean, display PSNR / dB", "22.6", "noisy_display_psnr"),
    ("denoised against clean", "47.9", "denoised_display_psnr"),
    ("clean against source", "14.5", "clean_vs_source_display_psnr"),
    ("denoised against source", "13.6", "denoised_vs_source_display_psnr"),
    ("deblended, from true clean", "35.0", "deblended_from_truth_display_psnr"),
    ("deblended, chained", "26.9", "deblended_chained_display_psnr"),
    ("denoised against clean, SSIM", "–", "denoised_ssim"),
    ("deblended, from true clean, SSIM", "–", "deblended_from_truth_ssim"),
    ("deblended, chained, SSIM", "–", "deblended_chained_ssim"),
    ("accuracy, straight from noisy", "0.82", "accuracy_from_noisy"),
    ("accuracy, from true images", "0.99", "accuracy_from_truth"),
    ("accuracy, chained", "0.90", "accuracy_chained"),
    ("MAE, straight from noisy", "0.08", "mae_from_noisy"),
    ("MAE, from true images", "0.03", "mae_from_truth"),
    ("MAE, chained", "0.06", "mae_chained"),
    ("σ of ln θ_E over the least possible (median)", "–", "sigma_over_limit_theta_e"),
    ("error of ln θ_E, in units that are 1 at the limit (median)", "–", "miss_over_limit_theta_e"),
    ("counter-images kept (S/N > 5)", "–", "counter_images_kept"),
    ("flux of lensed sources, deblended over true (median)", "–", "source_flux_kept"),
)
POSTERIOR = {
    "50 %": "coverage50_{}",
    "68 %": "coverage68_{}",
    "90 %": "coverage90_{}",
    "95 %": "coverage95_{}",
    "PIT distance": "pit_distance_{}",
}
MODELLED = {"θ_E": "theta_e", "e1": "e1", "e2": "e2"}
VARIANTS = {
    "separate": "each stage on the truth (the paper's way)",
    "on_upstream": "on what the stages before make",
    "on_both": "on both, as the recipe says",
    "end_to_end": "on both, then all as one chain",
    "direct": "classify and regress alone, from noisy",
    "without_denoise": "without denoise",
    "without_unmixed": "without the channels of two colours",
}
COLUMNS = {
    "deblended_from_truth_display_psnr": "deblended from truth, dB",
    "deblended_chained_display_psnr": "chained, dB",
    "accuracy_chained": "accuracy",
    "mae_chained": "MAE",
    "coverage68_theta_e": "68 % of θ_E",
    "counter_images_kept": "counter-images kept",
}
GAP = {
    "chained": "chained",
    "averaged": "all eight ways up",
    "amplitude_known": "amplitudes known",
    "leak_known": "and lens light",
    "limit": "limit",
}


def table(result: dict[str, Any]) -> str:
    """The rows of Table 1 that were measured."""
    lines = ["| figure | paper | here | ± | n | limit | here − limit |", "|---" * 7 + "|"]
    for text, paper, key in ROWS:
        if key in result:
            figure = result[key]
            far = (_given(result.get(f"{key}_{name}")) for name in ("limit", "distance"))
            lines.append(
                f"| {text} | {paper} | {figure['value']:.4g} | {figure['error']:.2g} "
                f"| {figure['n']} | {' | '.join(far)} |"
            )
    return "\n".join(lines)


def posterior(result: dict[str, Any]) -> str:
    """How many true values the intervals of each level hold, and how uniform PITs are."""
    lines = [f"| intervals of | {' | '.join(POSTERIOR)} |", "|---" * 6 + "|"]
    for text, name in MODELLED.items():
        cells = [_given(result.get(key.format(name))) for key in POSTERIOR.values()]
        lines.append(f"| {text} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", f"TARP, all three together: {_given(result['tarp_distance'])}."])


def _given(figure: dict[str, float] | None) -> str:
    if figure is None:
        return "–"
    sign = "−" if figure["value"] < 0 else ""
    return f"{sign}{abs(figure['value']):#.3g} ± {figure['error']:.1g}"


def ablation(result: dict[str, Any]) -> str:
    """A row for each variant, with its steps."""
    lines = [f"| variant | steps | {' | '.join(COLUMNS.values())} |", "|---" * 8 + "|"]
    for name, found in result["variants"].items():
        steps = sum(plan["steps"] for plan in found["trainings"].values())
        cells = [_cell(found["figures"].get(column)) for column in COLUMNS]
        lines.append(f"| {VARIANTS[name]} | {steps} | {' | '.join(cells)} |")
    return "\n".join(lines)


def gap(result: dict[str, Any]) -> str:
    """A row for each kind of system; decibels."""
    lines = [f"| systems | n | {' | '.join(GAP.values())} |", "|---" * 7 + "|"]
    for name, found in result["rows"].items():
        cells = [_cell(found[column]) for column in GAP]
        lines.append(f"| {name} | {found['limit']['n']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(figure: dict[str, float] | None) -> str:
    if figure is None:
        return "–"
    digits = 1 if figure["value"] > 1 else 3
    return f"{figure['value']:.{digits}f} ± {figure['error']:.{digits}f}"


def written(text: str, name: str, block: str, result: dict[str, Any]) -> str:
    """The page with another block of that name, and where it comes from."""
    begin, end = BEGIN.format(name), END.format(name)
    before, after = text.split(begin)[0], text.split(end)[1]
    source = f"Commit {result['commit']}: `{result['command']}`.\n"
    return f"{before}{begin}{block}\n\n{source}{end}{after}"


def main() -> None:
    text = PAGE.read_text()
    for name, file, make in (
        ("measured", "table1", table),
        ("posterior", "table1", posterior),
        ("gap", "gap", gap),
        ("ablation", "ablation", ablation),
    ):
        result = json.loads((RESULTS / f"{file}.json").read_text())
        text = written(text, name, make(result), result)
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
