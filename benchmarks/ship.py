"""Put trained weights into the package: float16, each with its card.

python benchmarks/ship.py RUN                  # the folder of `lensmill train --out RUN`
lensmill evaluate --out EVALUATION             # scores what is shipped
python benchmarks/ship.py SHIPPED EVALUATION   # puts the scores beside the cards, and into them
    --compact      # the networks for the paper's images
    --recipe NAME   # that RUN was trained with: coadds, or as the folder is called

Ship only what scores better than what is shipped.
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from lensmill.provenance import file_digest
from lensmill.survey.chain import ORDER
from lensmill.training.checkpoint import load_stage, save_stage
from lensmill.training.recipe import Recipe, shipped_recipes
from lensmill.weights import COMPACT, FOLDER

LARGEST_MB = 10.0


SCORES = {
    "denoise": ("psnr_denoised_db_median", "display_psnr_denoised_mean", "ssim_denoised_mean"),
    "deblend": (
        "display_psnr_source_from_truth_mean",
        "display_psnr_source_chained_mean",
        "ssim_source_chained_mean",
        "deblend_correlation_chained_median",
        "counter_images_kept_chained",
        "source_flux_ratio_median_chained",
    ),
    "classify": ("accuracy", "auroc", "auroc_snr20", "expected_calibration_error"),
    "regress": (
        "mae_chained",
        "theta_E_relative_error_median",
        "theta_E_relative_error_median_snr20",
        *(f"{name}_coverage68" for name in ("theta_E", "e1", "e2")),
        "tarp_distance",
    ),
}
"""Figures of the evaluation that a stage's card repeats."""


def ship(run: Path, name: str, to: Path, trained_with: str) -> None:
    """Write one stage and its card."""
    card = json.loads((run / f"{name}.json").read_text())
    recipe = Recipe.model_validate(card["recipe"])
    path = to / f"{name}.safetensors"
    save_stage(path, load_stage(run / path.name), recipe.stages[name], half=True)
    kept = {key: value for key, value in card.items() if key not in ("history", "shipped")}
    shipped = {"digest": file_digest(path), "precision": "float16"}
    path.with_suffix(".json").write_text(
        json.dumps({"command": _command(card, trained_with), **kept, "shipped": shipped}, indent=1)
        + "\n"
    )


def ship_familiar(run: Path, to: Path) -> None:
    """What is usual, and its card, with the digests of the weights as they are shipped."""
    shutil.copy(run / "familiar.safetensors", to)
    card = json.loads((run / "familiar.json").read_text())
    card["weights"] = {name: file_digest(to / f"{name}.safetensors") for name in card["weights"]}
    (to / "familiar.json").write_text(json.dumps(card, indent=1))


def score(evaluation: Path, to: Path) -> None:
    """The evaluation beside the cards, and its figures in those of the stages they are of."""
    found = json.loads((evaluation / "evaluation.json").read_text())
    made = found["provenance"]
    for name, keys in SCORES.items():
        path = to / f"{name}.json"
        card = json.loads(path.read_text())
        if made["weights"][name] != card["shipped"]["digest"]:
            raise SystemExit(f"{evaluation} is of another {name} than {to} has")
        told = {key: made[key] for key in ("commit", "recipe_digest", "time")}
        figures = {key: found[key] for key in keys if key in found}
        card["evaluated"] = {**told, "count": made["settings"]["count"], **figures}
        path.write_text(json.dumps(card, indent=1) + "\n")
    shutil.copy(evaluation / "evaluation.json", to)


def _command(card: dict[str, Any], recipe: str) -> str:
    minutes = card["seconds"] / 60
    stage = "together" if "together" in card else card["stage"]
    start = " --start WEIGHTS" if "started_from" in card else ""
    start += " --shards DATA" if "data_set" in card else ""
    return f"lensmill train {stage} --recipe {recipe}{start} --budget {minutes:.0f} --device cpu"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("evaluation", type=Path, nargs="?")
    parser.add_argument("--compact", action="store_true")
    parser.add_argument("--recipe", choices=shipped_recipes())
    parser.add_argument("--only", nargs="+", choices=ORDER, help="these stages; the others stay")
    given = parser.parse_args()
    to = COMPACT if given.compact else FOLDER
    to.mkdir(exist_ok=True)
    if given.run.resolve() != to.resolve():
        for name in given.only or ORDER:
            ship(given.run, name, to, given.recipe or ("compact" if given.compact else "coadds"))
        if to == FOLDER:  # of the others there is no room; `lensmill calibrate` makes it anew
            ship_familiar(given.run, to)
    if given.evaluation is not None:
        score(given.evaluation, to)
    total = sum(path.stat().st_size for path in FOLDER.rglob("*.safetensors")) / 1e6
    print(f"{total:.2f} MB in all")
    if total > LARGEST_MB:
        raise SystemExit(f"shipped weights stay under {LARGEST_MB} MB")


if __name__ == "__main__":
    main()
