"""What each idea of the compact chain is worth: one recipe trained in several ways, equally long.

    python benchmarks/ablation.py OUT [RECIPE] [--budget 30] [--count 2000] [--only NAME ...]

    separate        each stage trained on the truth, then chained (the paper's way)
    on_upstream     each stage trained on what the stages before it make
    on_both         as the recipe says: on that and on the truth (`upstream_share`)
    end_to_end      on_both for half of the time, then all as one chain (`together`)
    direct          classify and regress alone, straight from noisy
    without_X       on_both without denoise, or without one kind of channels (unmixed, colours)

Equal compute: each variant has BUDGET minutes (of processor time; on a GPU, of time), divided
among its trainings. A training's steps are its minutes over the seconds of a step, the least of a
few measured just before it, so that a machine busy with something else makes a variant late, not
worse. The time to simulate new examples, and to have the stages before look at them, counts. Every
variant has a folder in OUT, goes on where it stopped, and is left alone once done. All are scored
on the same first COUNT systems of the test split. Writes benchmarks/results/ablation.json.
"""

import argparse
import json
import shutil
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from table1 import KEYS
from variants import Variant, variants

from lensmill.evaluation.evaluate import evaluate
from lensmill.evaluation.modules import STAGES
from lensmill.provenance import provenance
from lensmill.training.build import build_stage
from lensmill.training.checkpoint import save_stage
from lensmill.training.recipe import Recipe, TrainingRecipe, read_recipe
from lensmill.training.together import NAME, together
from lensmill.training.train import recipe_digest, train

RESULTS = Path(__file__).parent / "results" / "ablation.json"
FRESH, KEPT = 4, 4
"""Steps timed with new examples and with kept ones."""
COLUMNS = (
    "denoised_display_psnr",
    "deblended_from_truth_display_psnr",
    "deblended_chained_display_psnr",
    "accuracy_chained",
    "mae_chained",
    "coverage68_theta_e",
    "counter_images_kept",
)


def settings(recipe: Recipe, name: str) -> TrainingRecipe:
    """How a stage, or the chain, is trained."""
    if name == NAME:
        assert recipe.together is not None
        return recipe.together.training
    return recipe.stages[name].training


def training(recipe: Recipe, name: str, **update: Any) -> Recipe:
    """The recipe with other settings of one training."""
    new = settings(recipe, name).model_copy(update=update)
    if name == NAME:
        assert recipe.together is not None
        chain = recipe.together.model_copy(update={"training": new})
        return recipe.model_copy(update={"together": chain})
    stage = recipe.stages[name].model_copy(update={"training": new})
    return recipe.model_copy(update={"stages": {**recipe.stages, name: stage}})


def trained(recipe: Recipe, name: str, out: Path, device: str, report: Any = None) -> None:
    """Train a stage, or the chain, into `out`."""
    same: dict[str, Any] = {"device": device, **({"report": report} if report else {})}
    if name == NAME:
        together(recipe, out, **same)
    else:
        train(recipe, name, out, **same)


def seconds_of_a_step(recipe: Recipe, name: str, out: Path, device: str) -> tuple[float, float]:
    """(with new examples, with kept ones), the least of a few; `out` holds the stages before."""
    pool = settings(recipe, name).pool
    few = training(recipe, name, steps=FRESH + KEPT + 1, pool=FRESH + 1 if pool else 0)
    aside, moments = out / "timing", []
    shutil.rmtree(aside, ignore_errors=True)
    shutil.copytree(out, aside, ignore=shutil.ignore_patterns("*.state.*", "evaluation", NAME))
    clock = time.process_time if device == "cpu" else time.perf_counter
    trained(few, name, aside, device, lambda share, line: moments.append(clock()))
    shutil.rmtree(aside)
    steps = [after - before for before, after in pairwise(moments)]
    return min(steps[:FRESH]), min(steps[FRESH:] if pool else steps)


def steps_in(seconds: float, fresh: float, kept: float, pool: int) -> int:
    """How many steps fit; once `pool` batches are kept, a step takes `kept` seconds."""
    if pool == 0 or seconds < pool * fresh:
        return max(1, int(seconds / fresh))
    return pool + int((seconds - pool * fresh) / kept)


def planned(variant: Variant, name: str, out: Path, seconds: float, device: str) -> dict[str, Any]:
    """What a training is to do; measured once, then read."""
    path = out / f"{name}.plan.json"
    if not path.is_file():
        fresh, kept = seconds_of_a_step(variant.recipe, name, out, device)
        pool = settings(variant.recipe, name).pool
        share = seconds * variant.shares[name]
        plan = {"fresh_step_s": fresh, "kept_step_s": kept}
        path.write_text(json.dumps({"steps": steps_in(share, fresh, kept, pool), **plan}))
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def run(
    variant: Variant, out: Path, budget: float, count: int, device: str
) -> dict[str, dict[str, Any]]:
    """Train and evaluate a variant, or read what was found before. budget: minutes."""
    identity = {"budget": budget, "count": count, "recipe": recipe_digest(variant.recipe)}
    path = out / "variant.json"
    if path.is_file():
        done: dict[str, Any] = json.loads(path.read_text())
        if done["identity"] == identity:
            return done
    claim(out, identity)
    fill(variant, out)
    plans = {}
    for name in variant.shares:
        plans[name] = planned(variant, name, out, 60 * budget, device)
        print(f"  {name}: {plans[name]['steps']} steps", flush=True)
        trained(training(variant.recipe, name, steps=plans[name]["steps"]), name, out, device)
    weights = out / NAME if NAME in variant.shares else out
    summary = evaluate(
        weights, variant.recipe, out / "evaluation", count=count, baseline=0, device=device
    )
    figures = {ours: summary[name] for ours, name in KEYS.items() if name in summary}
    figures = {name: figure for name, figure in figures.items() if variant.has(name)}
    result: dict[str, Any] = {"identity": identity, "trainings": plans, "figures": figures}
    path.write_text(json.dumps(result, indent=1))
    return result


def fill(variant: Variant, out: Path) -> None:
    """Untrained stages, which nobody reads, in the place of those that the variant does without."""
    for name in set(STAGES) - set(variant.shares):
        stage = variant.recipe.stages[name]
        save_stage(out / f"{name}.safetensors", build_stage(stage), stage)


def claim(out: Path, identity: dict[str, Any]) -> None:
    """`out` is this variant's; ValueError where it is another's."""
    path = out / "identity.json"
    out.mkdir(parents=True, exist_ok=True)
    if path.is_file() and json.loads(path.read_text()) != identity:
        raise ValueError(f"{out} holds another variant ({path}); choose another OUT")
    path.write_text(json.dumps(identity))


def table(found: dict[str, dict[str, Any]]) -> str:
    """A row for each variant."""
    head = [column.replace("_display_psnr", " dB").replace("_", " ") for column in COLUMNS]
    lines = [["", "steps", *head]]
    for name, result in found.items():
        steps = sum(plan["steps"] for plan in result["trainings"].values())
        cells = [_cell(result["figures"].get(column)) for column in COLUMNS]
        lines.append([name, str(steps), *cells])
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    )


def _cell(figure: dict[str, float] | None) -> str:
    if not figure:
        return "–"
    digits = 2 if figure["value"] > 1 else 3
    return f"{figure['value']:.{digits}f} ± {figure['error']:.{digits}f}"


def main() -> None:
    """Run the variants, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("recipe", type=Path, nargs="?", default=Path("compact"))
    parser.add_argument("--budget", type=float, default=30, help="minutes for a variant")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--result", type=Path, default=RESULTS)
    given = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    every = variants(read_recipe(given.recipe))
    if strangers := set(given.only) - set(every):
        parser.error(f"no variant {sorted(strangers)}; there are {', '.join(every)}")
    found = {}
    for name in given.only or every:
        print(name, flush=True)
        found[name] = run(every[name], given.out / name, given.budget, given.count, device)
        result = {
            "equal": "minutes of each variant, as the sum over its steps of a step's least seconds",
            "budget_minutes": given.budget,
            "systems": given.count,
            "threads": torch.get_num_threads(),
            "variants": found,
            "recipe": read_recipe(given.recipe).model_dump(mode="json"),
        }
        command = " ".join(["python benchmarks/ablation.py", *sys.argv[1:]])
        given.result.parent.mkdir(exist_ok=True)
        given.result.write_text(
            json.dumps({**result, **provenance(command=command, device=device)}, indent=1) + "\n"
        )
    print(table(found))


if __name__ == "__main__":
    main()
