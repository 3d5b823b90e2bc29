"""Write the measured block of docs/how-does-it-compare-with-the-paper.md from what measured it.

python benchmarks/how_compared.py
"""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/how-does-it-compare-with-the-paper.md"
RESULTS = ROOT / "benchmarks/results"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"

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
    ("counter-images kept (S/N > 5)", "–", "counter_images_kept"),
)


def table(result: dict[str, Any]) -> str:
    """The rows that were measured."""
    lines = ["| figure | paper | here | ± | n |", "|---|---|---|---|---|"]
    for text, paper, key in ROWS:
        if key in result:
            figure = result[key]
            lines.append(
                f"| {text} | {paper} | {figure['value']:.4g} | {figure['error']:.2g} "
                f"| {figure['n']} |"
            )
    return "\n".join(lines)


def main() -> None:
    result = json.loads((RESULTS / "table1.json").read_text())
    text = PAGE.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    source = f"Commit {result['commit']}: `{result['command']}`.\n"
    PAGE.write_text(f"{before}{BEGIN}{table(result)}\n\n{source}{END}{after}")


if __name__ == "__main__":
    main()
