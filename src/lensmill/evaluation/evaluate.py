"""Evaluate: the whole chain on held-out simulated systems, a row for each and a summary of all."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from lensmill.evaluation.summary import summarise
from lensmill.evaluation.table import Column, joined, rows
from lensmill.provenance import digest, file_digest, provenance
from lensmill.quantities import NOISY
from lensmill.simulation.shards import FIRST_INDEX, Split
from lensmill.stages.pipeline import Pipeline
from lensmill.training.build import build_survey
from lensmill.training.checkpoint import load_stage
from lensmill.training.loader import Loader
from lensmill.training.recipe import Recipe

STAGES = ("denoise", "deblend", "classify", "regress")

Report = Callable[[float, str], None]
"""(share done, a line to show)."""


def evaluate(
    weights: Path,
    recipe: Recipe,
    out: Path,
    *,
    count: int = 2000,
    batch: int = 16,
    baseline: int = 200,
    split: Split = "test",
    device: str = "cpu",
    report: Report = lambda share, line: None,
) -> dict[str, Any]:
    """Run the stages in `weights` on `count` systems of `split`; returns the summary.

    Writes evaluation.parquet (one row per system, see `table.rows`) and evaluation.json into
    `out`. The first `baseline` systems also get the classical fit. Everything in float32.
    ValueError where weights are missing or their bands are not the survey's.
    """
    pipeline = _load(weights).to(device)
    loader = Loader.of(recipe.simulation, batch, split, device)
    if pipeline.bands != loader.bands:
        raise ValueError(f"{weights} works on {pipeline.bands}, the recipe gives {loader.bands}")
    steps = math.ceil(count / batch)
    parts: list[dict[str, Column]] = []
    for step in range(steps):
        left = max(0, baseline - step * batch)
        parts.append(_rows(pipeline, loader, step, left, recipe, device))
        report((step + 1) / steps, f"{min((step + 1) * batch, count)} of {count} systems")
    table = {name: column[:count] for name, column in joined(parts).items()}
    settings = {"count": count, "split": split, "batch": batch, "baseline": baseline}
    summary = {**summarise(table), "provenance": _provenance(weights, recipe, settings, device)}
    _write(out, table, summary)
    return summary


@torch.no_grad()
def _rows(
    pipeline: Pipeline, loader: Loader, step: int, baseline: int, recipe: Recipe, device: str
) -> dict[str, Column]:
    """The rows of batch `step`, made on the CPU from what the device predicted."""
    truth = loader(step, device)
    predicted = pipeline.predict(truth)
    truth, predicted = ({k: v.cpu() for k, v in each.items()} for each in (truth, predicted))
    first = FIRST_INDEX[loader.split] + step * loader.batch
    index = torch.arange(first, first + loader.batch)
    return rows(index, truth, predicted, baseline, build_survey(recipe.simulation))


def _load(weights: Path) -> Pipeline:
    """The four stages in a row, from `noisy`."""
    stages = [load_stage(weights / f"{name}.safetensors") for name in STAGES]
    return Pipeline(stages, given=(NOISY,)).eval()


def _provenance(
    weights: Path, recipe: Recipe, settings: dict[str, Any], device: str
) -> dict[str, Any]:
    return provenance(
        weights={name: file_digest(weights / f"{name}.safetensors") for name in STAGES},
        recipe=recipe.model_dump(mode="json"),
        recipe_digest=digest(recipe.model_dump_json().encode()),
        settings=settings,
        device=device,
    )


def _write(out: Path, table: dict[str, Column], summary: dict[str, Any]) -> None:
    """Both files aside, then renamed: what is there is whole."""
    out.mkdir(parents=True, exist_ok=True)
    aside = out / "evaluation.part"
    pq.write_table(pa.table(table), aside)
    aside.replace(out / "evaluation.parquet")
    aside.write_text(json.dumps(_plain(summary), indent=1), encoding="utf-8")
    aside.replace(out / "evaluation.json")


def _plain(value: Any) -> Any:
    """`value` with null for numbers that are not finite, as JSON has it."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
