"""Operating point: which threshold keeps how many lenses, and how pure is what it keeps?"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from scipy.stats import beta

from lensmill.evaluation.files import TABLE, read_parquet
from lensmill.evaluation.metrics import purity

COMPLETENESSES = (0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
INJECTIONS = "inject.parquet"
AREA = 1000.0
"""deg² for which candidates are counted."""
COUNTED = 10
"""False positives from which on their rate is known by counting."""

Score = Float[np.ndarray, " example"]
Label = Bool[np.ndarray, " example"]


def operating_point(
    folder: Path, *, prevalence: float, density: float | None = None
) -> list[dict[str, float]]:
    """A row for each completeness: its threshold, and what it selects on the user's sky.

    folder: of `evaluate` or of `inject`. prevalence: share of lenses among the objects one looks
    at. density: such objects per deg²; with it, candidates and lenses per 1,000 deg² are counted.
    Also written to `folder`/operating_point.json. ValueError where `folder` holds neither.
    """
    if not 0 < prevalence < 1:
        raise ValueError(f"prevalence: a share between 0 and 1, not {prevalence}")
    score, label = _scored(folder)
    found = operating_points(score, label, prevalence, density)
    content = {"prevalence": prevalence, "density_per_deg2": density, "points": found}
    (folder / "operating_point.json").write_text(json.dumps(content, indent=1))
    return found


def _scored(folder: Path) -> tuple[Score, Label]:
    """p_lens and is_lens of an evaluation's or an injection's objects."""
    paths = [folder / name for name in (TABLE, INJECTIONS) if (folder / name).is_file()]
    if not paths:
        raise ValueError(f"{folder} holds no {TABLE} of evaluate and no {INJECTIONS} of inject")
    table = read_parquet(paths[0]).select(["p_lens", "is_lens"]).drop_null()
    score, label = (table[name].to_numpy() for name in ("p_lens", "is_lens"))
    if not label.any() or label.all():
        raise ValueError(f"{paths[0]}: lenses and others are needed, it holds one kind alone")
    return score.astype(np.float64), label


def operating_points(
    score: Score, label: Label, prevalence: float, density: float | None = None
) -> list[dict[str, float]]:
    """Of each of `COMPLETENESSES`; `score` is p_lens, a probability if half were lenses.

    `purity` is from counts, with its central 68 %: where no false positive is left it is a lower
    bound that the number of non-lenses sets. `purity_calibrated` reaches further: its lenses are
    counted too, its false positives as `extrapolated_rate` says.
    """
    return [_point(score, label, level, prevalence, density) for level in COMPLETENESSES]


def _point(
    score: Score, label: Label, level: float, prevalence: float, density: float | None
) -> dict[str, float]:
    threshold = float(np.quantile(score[label], 1 - level))
    completeness = float((score[label] >= threshold).mean())
    wrong, others = int((score[~label] >= threshold).sum()), int((~label).sum())
    fpr = _counted(wrong, others)
    low, high = _jeffreys(wrong, others)
    found = {
        "threshold": threshold,
        "probability": float(at_prevalence(threshold, prevalence)),
        "completeness": completeness,
        "false_positives": wrong,
        "false_positive_rate": fpr,
        "purity": purity(completeness, fpr, prevalence),
        "purity_low": purity(completeness, high, prevalence),
        "purity_high": purity(completeness, low, prevalence),
        "purity_calibrated": purity(
            completeness, extrapolated_rate(score, label, threshold), prevalence
        ),
    }
    if density is not None:
        lenses = AREA * density * prevalence * completeness
        found |= {"lenses": lenses, "candidates": lenses / found["purity"]}
    return found


def at_prevalence(probability: Any, prevalence: float) -> NDArray[Any]:
    """The probability at a share of lenses other than one half: the odds are scaled."""
    p = np.asarray(probability, np.float64)
    return np.asarray(p * prevalence / (p * prevalence + (1 - p) * (1 - prevalence)))


def extrapolated_rate(score: Score, label: Label, threshold: float) -> float:
    """False-positive rate: counted where `COUNTED` non-lenses reach `threshold`, else modelled.

    In the model an object of probability p counts as 1 − p others, whatever it is; the labels only
    weigh the objects, so that half of all are lenses. Only how it falls from the last counted rate
    is taken from it: how many others the scores claim in all hangs on faint lenses, which
    classify never learned to call lenses.
    """
    others = np.sort(score[~label])
    last = float(others[-min(COUNTED, len(others))])
    counted = _counted(int((others >= min(last, threshold)).sum()), len(others))
    if threshold <= last:
        return counted
    weight = np.where(label, 0.5 / label.mean(), 0.5 / (1 - label.mean())) * (1 - score)
    fall = weight[score >= threshold].sum() / weight[score >= last].sum()
    return counted * float(fall)


def _counted(count: int, total: int) -> float:
    """The mean of Jeffreys' posterior: none seen is not none."""
    return (count + 0.5) / (total + 1)


def _jeffreys(count: int, total: int) -> tuple[float, float]:
    """Central 68 % of a share of which `count` in `total` were seen."""
    low, high = beta.ppf((0.16, 0.84), count + 0.5, total - count + 0.5)
    return float(low), float(high)
