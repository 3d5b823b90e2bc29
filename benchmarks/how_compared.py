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
    ("deblended, from true clean", "35.0", "deblended_from_truth_display_psnr"),
    ("deblended, chained", "26.9", "deblended_chained_display_psnr"),
    ("accuracy, from true images", "0.99", "accuracy_from_truth"),
    ("accuracy, chained", "0.90", "accuracy_chained"),
    ("MAE, from true images", "0.03", "mae_from_truth"),
    ("MAE, chained", "0.06", "mae_chained"),
    ("68 % intervals of θ_E that hold the truth", "–", "coverage68_theta_e"),
    ("… of e1", "–", "coverage68_e1"),
    ("… of e2", "–", "coverage68_e2"),
    ("σ of ln θ_E over the least possible (median)", "–", "sigma_over_limit_theta_e"),
    (
        "|miss| of ln θ_E, in units that are 1 at the limit (median)",
        "–",
        "miss_over_limit_theta_e",
    ),
    ("counter-images kept (S/N > 5)", "–", "counter_images_kept"),
)
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
    "amplitude_known": "amplitudes known",
    "leak_known": "and lens light",
    "limit": "limit",
}


def table(result: dict[str, Any]) -> str:
    """The rows of Table 1 that were measured."""
    lines = ["| figure | paper | here | ± | n |", "|---|---|---|---|---|"]
    for text, paper, key in ROWS:
        if key in result:
            figure = result[key]
            lines.append(
                f"| {text} | {paper} | {figure['value']:.4g} | {figure['error']:.2g} "
                f"| {figure['n']} |"
            )
    return "\n".join(lines)


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
    lines = [f"| systems | n | {' | '.join(GAP.values())} |", "|---" * 6 + "|"]
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
        ("gap", "gap", gap),
        ("ablation", "ablation", ablation),
    ):
        result = json.loads((RESULTS / f"{file}.json").read_text())
        text = written(text, name, make(result), result)
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
