"""Write the measured block of docs/can-i-trust-the-uncertainties.md from what shifts.py measured.

python benchmarks/trust.py
"""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/can-i-trust-the-uncertainties.md"
RESULTS = ROOT / "benchmarks/results/shifts.json"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"

COLUMNS = {
    "accuracy": "accuracy",
    "auroc": "AUROC",
    "mae_chained": "MAE",
    "theta_E_coverage68": "68 % of θ_E",
    "e1_coverage68": "e1",
    "e2_coverage68": "e2",
    "theta_E_pit_distance": "PIT of θ_E",
    "tarp_distance": "TARP",
    "theta_E_sigma_median": "σ of θ_E",
    "e1_sigma_median": "σ of e1",
    "sigma_over_limit_theta_E_snr20": "σ / limit",
    "ood_median": "ood",
    "ood_flagged": "flagged",
}
LOUD = 0.03
"""Share that a part flags above which it is said to warn: three times its false alarms."""


def block(result: dict[str, Any]) -> str:
    """What was measured, as a table and a line on what it was measured with."""
    found = result["shifts"]
    columns = {k: v for k, v in COLUMNS.items() if any(k in each for each in found.values())}
    titles = ["shift", *columns.values(), "what warns"]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for name, figures in found.items():
        cells = [_cell(figures.get(key)) for key in columns]
        lines.append(f"| {' | '.join([name.replace('_', ' '), *cells, _warning(figures)])} |")
    told = f"{result['count']} systems each; `{result['command']}`, commit {result['commit']}."
    return "\n".join([*lines, "", told, ""])


def _cell(figure: dict[str, Any] | None) -> str:
    if figure is None or figure["value"] is None:
        return ""
    return f"{figure['value']:.3g} ± {figure['error']:.1g}"


def _warning(figures: dict[str, Any]) -> str:
    """The parts that flag more than they should, loudest first."""
    prefix = "ood_flagged_by_"
    shares = {k.removeprefix(prefix): v["value"] for k, v in figures.items() if prefix in k}
    loud = sorted((part for part in shares if shares[part] > LOUD), key=shares.get, reverse=True)
    return ", ".join(f"{part} {100 * shares[part]:.0f} %" for part in loud) or "nothing"


def main() -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    result = json.loads(RESULTS.read_text())
    PAGE.write_text(before + BEGIN + block(result) + END + after, encoding="utf-8")


if __name__ == "__main__":
    main()
