"""What each idea of the compact chain is worth: one recipe trained in several ways, equally long.

    python benchmarks/ablation.py OUT [RECIPE] [--budget 30] [--count 2000] [--only NAME ...]

    separate        each stage trained on the truth, then chained (the paper's way)
    on_upstream     each stage trained on what the stages before it make
    on_both         as the recipe says: on that and on the truth (`upstream_share`)
    end_to_end      on_both for half of the time, then all as one chain (`together`)
    direct          classify and regress alone, straight from noisy
    without_X       on_both without denoise, or without one kind of channels (unmixed, colours)

Equal compute: each variant has BUDGET minutes (of processor time; on a GPU, of time), divided
among its trainings. A training's steps are its minutes over the seconds of a step (`step_times`),
so that a machine busy with something else makes a variant late, not worse. The time to simulate new
examples, and to have the stages before look at them, counts. Every variant has a folder in OUT,
goes on where it stopped, and is left alone once done. All are scored on the same first COUNT
systems of the test split. Writes benchmarks/results/ablation.json.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch
from step_times import Seconds, alike, settings, step_times, trained, training, untrained
from table1 import KEYS
from variants import Variant, variants

from lensmill.evaluation.evaluate import evaluate
from lensmill.evaluation.modules import STAGES
from lensmill.provenance import provenance
from lensmill.training.recipe import read_recipe
from lensmill.training.together import NAME
from lensmill.training.train import recipe_digest

RESULTS = Path(__file__).parent / "results" / "ablation.json"
COLUMNS = (
    "denoised_display_psnr",
    "deblended_from_truth_display_psnr",
    "deblended_chained_display_psnr",
    "accuracy_chained",
    "mae_chained",
    "coverage68_theta_e",
    "counter_images_kept",
)


def steps_in(seconds: float, fresh: float, kept: float, pool: int) -> int:
    """How many steps fit; once `pool` batches are kept, a step takes `kept` seconds."""
    if pool == 0 or seconds < pool * fresh:
        return max(1, int(seconds / fresh))
    return pool + int((seconds - pool * fresh) / kept)


def planned(variant: Variant, times: dict[str, Seconds], seconds: float) -> dict[str, Any]:
    """What each training of a variant is to do in its share of `seconds`."""
    plans = {}
    for name, share in variant.shares.items():
        fresh, kept = times[alike(variant.recipe, name)]
        steps = steps_in(share * seconds, fresh, kept, settings(variant.recipe, name).pool)
        plans[name] = {"steps": steps, "fresh_step_s": fresh, "kept_step_s": kept}
    return plans


def run(
    variant: Variant,
    out: Path,
    times: dict[str, Seconds],
    budget: float,
    count: int,
    device: str,
) -> dict[str, dict[str, Any]]:
    """Train and evaluate a variant, or read what was found before. budget: minutes."""
    identity = {"budget": budget, "count": count, "recipe": recipe_digest(variant.recipe)}
    path = out / "variant.json"
    if path.is_file():
        done: dict[str, Any] = json.loads(path.read_text())
        if done["identity"] == identity:
            return done
    claim(out, identity)
    # Nobody reads the stages that it does without.
    untrained(variant.recipe, set(STAGES) - set(variant.shares), out)
    plans = planned(variant, times, 60 * budget)
    for name in variant.shares:
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
    trainings = [(each.recipe, name) for each in every.values() for name in each.shares]
    given.out.mkdir(parents=True, exist_ok=True)
    times, found = step_times(trainings, given.out, device), {}
    for name in given.only or every:
        print(name, flush=True)
        found[name] = run(every[name], given.out / name, times, given.budget, given.count, device)
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
