"""Put trained weights into the package: float16, each with its card.

python benchmarks/ship.py RUN            # the folder of `lensmill train --out RUN`
lensmill evaluate --out EVALUATION       # scores what is shipped
python benchmarks/ship.py RUN EVALUATION # puts the scores beside the cards

Ship only what scores better than what is shipped.
"""

import json
import shutil
import sys
from pathlib import Path

from lensmill.provenance import file_digest
from lensmill.survey.chain import ORDER
from lensmill.training.checkpoint import load_stage, save_stage
from lensmill.training.recipe import Recipe
from lensmill.weights import FOLDER

LARGEST_MIB = 10.0


def ship(run: Path, name: str) -> float:
    """Write one stage and its card; returns its size in MiB."""
    card = json.loads((run / f"{name}.json").read_text())
    recipe = Recipe.model_validate(card["recipe"])
    path = FOLDER / f"{name}.safetensors"
    save_stage(path, load_stage(run / path.name), recipe.stages[name], half=True)
    minutes = card["seconds"] / 60
    command = f"lensmill train {name} --recipe survey.toml --budget {minutes:.0f} --device cpu"
    kept = {key: value for key, value in card.items() if key not in ("history", "shipped")}
    shipped = {"digest": file_digest(path), "precision": "float16"}
    (FOLDER / f"{name}.json").write_text(
        json.dumps({**kept, "command": command, "shipped": shipped}, indent=1) + "\n"
    )
    return path.stat().st_size / 2**20


def main(run: Path, evaluation: Path | None) -> None:
    total = sum(ship(run, name) for name in ORDER)
    for path in run.glob("familiar.*"):  # of `lensmill calibrate RUN`
        shutil.copy(path, FOLDER / path.name)
        total += path.stat().st_size / 2**20
    print(f"{total:.2f} MiB")
    if total > LARGEST_MIB:
        raise SystemExit(f"shipped weights stay under {LARGEST_MIB} MiB")
    if evaluation is not None:
        shutil.copy(evaluation / "evaluation.json", FOLDER / "evaluation.json")


if __name__ == "__main__":
    run_folder, *rest = map(Path, sys.argv[1:])
    main(run_folder, rest[0] if rest else None)
