"""Evaluate: the whole chain on held-out simulated systems, a row for each and a summary of all."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from lensmill.evaluation.examples import chosen, save_examples
from lensmill.evaluation.files import plain, read_json
from lensmill.evaluation.modules import Modules
from lensmill.evaluation.strata import strata
from lensmill.evaluation.summary import summarise
from lensmill.evaluation.table import Column, joined, rows
from lensmill.evaluation.targets import Ranges, target_ranges
from lensmill.heap import give_back_freed_memory
from lensmill.provenance import digest, file_digest, provenance
from lensmill.quantities import Batch
from lensmill.simulation.shards import FIRST_INDEX, Split
from lensmill.stages.display import with_displays
from lensmill.training.build import build_survey
from lensmill.training.loader import Loader
from lensmill.training.recipe import Recipe

Report = Callable[[float, str], None]
"""(share done, a line to show)."""
TRIMMED = 16
"""Batches after which freed memory is given back."""


def evaluate(
    weights: Path,
    recipe: Recipe,
    out: Path,
    *,
    count: int = 2000,
    batch: int = 16,
    baseline: int = 200,
    split: Split = "test",
    average: bool = False,
    device: str = "cpu",
    trust: bool = False,
    report: Report = lambda share, line: None,
) -> dict[str, Any]:
    """Run the stages in `weights` on `count` systems of `split` (of training, those that its last
    stages learn from); returns the summary.

    The stages run in a row, and each by itself on the true images (see `modules.Modules`; the
    summary's `given` says what each was given). Writes evaluation.parquet (one row per system, see
    `table.rows`), evaluation.json and examples.npz (pictures of a few) into `out`. The first
    `baseline` systems also get the classical fit. average: everything is seen all eight ways up
    (see `Averaged`). trust: parts from outside this package are imported. Everything in float32.
    ValueError where weights are missing or their bands are not the survey's.
    """
    if split not in FIRST_INDEX:
        raise ValueError(f"no split {split!r}; choices: {', '.join(FIRST_INDEX)}")
    out.mkdir(parents=True, exist_ok=True)
    modules = Modules.load(weights, device, average, trust)
    loader = replace(
        Loader.of(recipe.simulation, batch, split, device), part=_part(recipe, split, weights)
    )
    if modules.bands != loader.bands:
        raise ValueError(f"{weights} works on {modules.bands}, the recipe gives {loader.bands}")
    ranges = target_ranges(loader.simulator, loader.seed)
    table, examples = _systems(modules, loader, recipe, count, baseline, device, report)
    settings = {
        "count": count,
        "split": split,
        "batch": batch,
        "baseline": baseline,
        "average": average,
    }
    summary = {
        **summarise(table, ranges),
        "strata": strata(table, ranges),
        "given": modules.given,
        "provenance": _provenance(weights, modules, recipe, settings, ranges, device),
    }
    _write(out, table, summary)
    save_examples(out, examples)
    return summary


def _part(recipe: Recipe, split: Split, weights: Path) -> int:
    """Of the training split, the part that the stage with most stages before it learned from."""
    if split != "train" or not recipe.stages:
        return 0
    last = max(reversed(recipe.stages), key=lambda name: len(recipe.stages[name].upstream))
    card, depth = weights / f"{last}.json", len(recipe.stages[last].upstream)
    return int(read_json(card).get("part", depth)) if card.is_file() else depth


def _systems(
    modules: Modules,
    loader: Loader,
    recipe: Recipe,
    count: int,
    baseline: int,
    device: str,
    report: Report,
) -> tuple[dict[str, Column], dict[str, Column]]:
    """A row for each of the first `count` systems, and the pictures of a few."""
    parts: list[dict[str, Column]] = []
    examples: dict[str, Column] = {}
    steps = math.ceil(count / loader.batch)
    for step in range(steps):
        truth, predicted = _predicted(modules, loader, step, device)
        examples = examples or chosen(truth, predicted)
        done = step * loader.batch
        index = torch.arange(loader.batch) + loader.start + done
        left = max(0, baseline - done)
        parts.append(rows(index, truth, predicted, left, build_survey(recipe.simulation)))
        if step % TRIMMED == TRIMMED - 1:
            give_back_freed_memory()
        report((step + 1) / steps, f"{min(done + loader.batch, count)} of {count} systems")
    return {name: column[:count] for name, column in joined(parts).items()}, examples


def _predicted(
    modules: Modules, loader: Loader, step: int, device: str
) -> tuple[Batch, dict[str, Batch]]:
    """Batch `step` and what was predicted of it, back on the CPU."""
    truth = with_displays(loader(step, device))
    predicted = modules.predict(truth)
    return _on_cpu(truth), {way: _on_cpu(batch) for way, batch in predicted.items()}


def _on_cpu(batch: Batch) -> Batch:
    return {name: value.cpu() for name, value in batch.items()}


def _provenance(
    weights: Path,
    modules: Modules,
    recipe: Recipe,
    settings: dict[str, Any],
    ranges: Ranges,
    device: str,
) -> dict[str, Any]:
    return provenance(
        weights={name: file_digest(weights / f"{name}.safetensors") for name in modules.files},
        recipe=recipe.model_dump(mode="json"),
        recipe_digest=digest(recipe.model_dump_json().encode()),
        settings=settings,
        target_ranges=dict(ranges),
        device=device,
    )


def _write(out: Path, table: dict[str, Column], summary: dict[str, Any]) -> None:
    """Both files aside, then renamed: what is there is whole."""
    aside = out / "evaluation.part"
    pq.write_table(pa.table(table), aside)
    aside.replace(out / "evaluation.parquet")
    aside.write_text(json.dumps(plain(summary), indent=1), encoding="utf-8")
    aside.replace(out / "evaluation.json")
