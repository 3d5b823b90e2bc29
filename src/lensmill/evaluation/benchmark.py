"""Benchmark: the paper's experiments on held-out systems that never change."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lensmill.evaluation.evaluate import evaluate
from lensmill.evaluation.files import EVALUATION, LIMITS, TRAIN, Evaluation, read_json
from lensmill.evaluation.limits import limits as reckon_limits
from lensmill.evaluation.modules import DIRECT, STAGES
from lensmill.evaluation.report import report as write_report
from lensmill.provenance import digest, file_digest
from lensmill.training.recipe import Recipe

Report = Callable[[float, str], None]
FULL = 12_000
"""Systems of the frozen benchmark: the first of the test split, about half of them lenses."""


def benchmark(
    weights: Path,
    recipe: Recipe,
    out: Path,
    *,
    count: int = FULL,
    train: int | None = None,
    limits: Path | None = None,
    limited: int = 0,
    device: str = "cpu",
    report: Report = lambda share, line: None,
) -> Evaluation:
    """Evaluate on `count` systems of the test split and `train` of the training split (for
    Figure 3; None: a quarter as many), and write the page with the paper's Table 1 and figures
    into `out`. What was evaluated there already, of the same weights, is not evaluated again.

    limits: a table that the verb `limits` wrote for the same systems; the columns "limit" and
    "ours − limit" come from it. Without it they are of the first `limited` systems, half a
    second each or less, unless `out` has as many already.
    """
    few = max(1, count // 4) if train is None else train
    share = count / (count + few)

    def second(done: float, line: str) -> None:
        report(share + (1 - share) * done, f"training split: {line}")

    def first(done: float, line: str) -> None:
        report(share * done, line)

    same: dict[str, Any] = {"baseline": 0, "device": device}
    if not _done(out, weights, recipe, count, "test"):
        evaluate(weights, recipe, out, count=count, report=first, **same)
    if few and not _done(out / TRAIN, weights, recipe, few, "train"):
        evaluate(weights, recipe, out / TRAIN, count=few, report=second, split="train", **same)
    _take_limits(limits, limited, recipe, out, lambda done, line: report(1.0, f"limits: {line}"))
    write_report(out)
    return Evaluation.read(out)


def _take_limits(given: Path | None, count: int, recipe: Recipe, out: Path, report: Report) -> None:
    """Put limits into `out`, with what says how they were made."""
    there = out / LIMITS
    if given is None and not _limits_done(there, recipe, count):
        reckon_limits(recipe, out, count=count, report=report)
    if given is not None and given.resolve() != there.resolve():
        for suffix in (".parquet", ".json"):
            if given.with_suffix(suffix).is_file():
                shutil.copy(given.with_suffix(suffix), there.with_suffix(suffix))


def _limits_done(there: Path, recipe: Recipe, count: int) -> bool:
    """Are there limits of as many systems of this recipe, or some that somebody put there?"""
    told = there.with_suffix(".json")
    if count == 0 or not there.is_file() or not told.is_file():
        return count == 0 or there.is_file()
    made = read_json(told)["provenance"]
    same: bool = made["recipe"] == recipe.simulation.model_dump(mode="json")
    return same and made["settings"]["count"] >= count


def _done(out: Path, weights: Path, recipe: Recipe, count: int, split: str) -> bool:
    """Does `out` hold the evaluation of these weights on as many systems of this recipe?"""
    if not (out / EVALUATION).is_file():
        return False
    made = Evaluation.read(out).summary["provenance"]
    paths = (weights / f"{name}.safetensors" for name in (*STAGES, *DIRECT, "familiar"))
    settings = {"count": count, "split": split, "average": False}
    return (
        settings.items() <= made["settings"].items()
        and made["recipe_digest"] == digest(recipe.model_dump_json().encode())
        and made["weights"] == {path.stem: file_digest(path) for path in paths if path.is_file()}
    )
