"""Benchmark: the paper's experiments on held-out systems that never change."""

import shutil
from collections.abc import Callable
from pathlib import Path

from lensmill.evaluation.evaluate import evaluate
from lensmill.evaluation.files import LIMITS, TRAIN, Evaluation
from lensmill.evaluation.report import report as write_report
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
    limits: Path | None = None,
    device: str = "cpu",
    report: Report = lambda share, line: None,
) -> Evaluation:
    """Evaluate on `count` systems of the test split, and a quarter as many of the training split
    (for Figure 3), and write the page with the paper's Table 1 and figures into `out`.

    limits: a table that the verb `limits` wrote for the same systems; the columns "limit" and
    "ours − limit" come from it.
    """
    few = max(1, count // 4)
    share = count / (count + few)

    def second(done: float, line: str) -> None:
        report(share + (1 - share) * done, f"training split: {line}")

    def first(done: float, line: str) -> None:
        report(share * done, line)

    evaluate(weights, recipe, out, count=count, baseline=0, device=device, report=first)
    train, same = out / TRAIN, {"baseline": 0, "split": "train", "device": device}
    evaluate(weights, recipe, train, count=few, report=second, **same)  # type: ignore[arg-type]
    if limits and limits != out / LIMITS:
        shutil.copy(limits, out / LIMITS)
    write_report(out)
    return Evaluation.read(out)
