"""The learning curves of trained stages: held-out loss against minutes of training.

python benchmarks/learning_curve.py STAGE=RUN[,RUN…] …

Needs matplotlib. Each RUN is a folder that `lensmill train --out RUN` left, a later one having set
out from the one before it. Writes benchmarks/results/learning_curve.json and
docs/learning_curve.png.
"""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks/results/learning_curve.json"
PICTURE = ROOT / "docs/learning_curve.png"


def curve(run: Path, name: str, before: float) -> dict[str, Any]:
    """One training's curve, its minutes counted from those `before`."""
    card = json.loads((run / f"{name}.json").read_text())
    points = [
        {"minutes": round(before + point["seconds"] / 60, 2), **_losses(point)}
        for point in card["history"]
    ]
    settings = card["recipe"]["stages"][name]["training"]
    return {
        "optimizer": settings.get("optimizer", "adamw"),
        "steps": card["steps"],
        "minutes": round(card["seconds"] / 60, 1),
        "commit": card["commit"],
        "points": points,
    }


def _losses(point: dict[str, float]) -> dict[str, float]:
    return {key: round(point[key], 4) for key in ("loss", "validation_loss")}


def curves(runs: list[Path], name: str) -> list[dict[str, Any]]:
    """A stage's trainings, one after another."""
    found: list[dict[str, Any]] = []
    for run in runs:
        found.append(curve(run, name, sum(each["minutes"] for each in found)))
    return found


def draw(stages: dict[str, list[dict[str, Any]]]) -> None:
    """A panel for each stage: held out, and dotted the training's own."""
    figure, panels = plt.subplots(1, len(stages), figsize=(4 * len(stages), 3), squeeze=False)
    for panel, (name, trainings) in zip(panels[0], stages.items(), strict=True):
        for number, each in enumerate(trainings):
            minutes = [point["minutes"] for point in each["points"]]
            for key, style, label in (
                ("loss", ":", None),
                ("validation_loss", "-", f"{each['optimizer']}, {each['minutes']:.0f} min"),
            ):
                values = [point[key] for point in each["points"]]
                panel.plot(minutes, values, style, color=f"C{number}", label=label)
        panel.set(title=name, xlabel="minutes of one core", ylabel="loss")
        panel.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(PICTURE, dpi=110)


def main() -> None:
    given = [argument.partition("=") for argument in sys.argv[1:]]
    stages = {name: curves([Path(run) for run in runs.split(",")], name) for name, _, runs in given}
    RESULTS.write_text(json.dumps(stages, indent=1) + "\n")
    draw(stages)


if __name__ == "__main__":
    main()
