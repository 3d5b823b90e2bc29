"""Calibrate: what is measured of trained weights before their answers are believed."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lensmill.evaluation.calibration import coverage, fit_spread, fit_temperature, fit_tilt
from lensmill.evaluation.modules import STAGES
from lensmill.provenance import digest as digest_of
from lensmill.provenance import file_digest, provenance
from lensmill.quantities import IS_LENS, P_LENS, Batch
from lensmill.stages.averaged import Averaged
from lensmill.stages.base import Stage
from lensmill.stages.classify import Classify
from lensmill.stages.familiar import evidence, features_of
from lensmill.stages.pipeline import Pipeline
from lensmill.stages.posterior import PARAMETERS, Mixture
from lensmill.stages.regress import Regress, true_parameters
from lensmill.stages.symmetry import ELEMENTS
from lensmill.stages.usual import Usual
from lensmill.training.checkpoint import amend, load_stage
from lensmill.training.familiar import FILE, save_usual
from lensmill.training.loader import Loader
from lensmill.training.recipe import Recipe

LEVEL = 0.68
Report = Callable[[float, str], None]
"""(share done, a line to show)."""


@dataclass(frozen=True)
class Heads:
    """The four stages, of which two are calibrated and start from no calibration at all."""

    stages: dict[str, Stage]
    classify: Classify
    regress: Regress

    @classmethod
    def load(cls, weights: Path, device: str, trust: bool = False) -> "Heads":
        """From a folder; ValueError where a head has nothing that could be calibrated."""
        paths = {name: weights / f"{name}.safetensors" for name in STAGES}
        stages = {name: load_stage(path, trust).to(device) for name, path in paths.items()}
        classify, regress = stages["classify"], stages["regress"]
        if not isinstance(classify, Classify) or not isinstance(regress, Regress):
            kinds = [type(each).__name__ for each in (classify, regress)]
            raise ValueError(f"{weights}: {' and '.join(kinds)} have no calibration")
        for stage in stages.values():
            stage.forget_calibration()
        return cls(stages, classify, regress)


def calibrate(
    weights: Path,
    recipe: Recipe,
    *,
    count: int = 4000,
    batch: int = 16,
    average: bool = False,
    device: str = "cpu",
    trust: bool = False,
    report: Report = lambda share, line: None,
) -> dict[str, Any]:
    """Calibrate the weights in a folder on `count` systems of the validation split.

    `Classify.temperature`: p_lens is the likeliest, of the systems that it learns from.
    `Regress.spread` and `tilt`: 68 % intervals hold 68 % of the true ln θ_E, and of e1 and e2
    together; narrow and wide ones as nearly alike as a power of σ makes them.
    familiar.safetensors: what systems look like, from which `ood` and the flag unlike_training
    follow. Cards say so. average: for use with averaging (`Averaged`). trust: parts from outside
    this package are imported. Whatever was calibrated before is replaced.
    ValueError where weights and recipe do not fit.
    """
    heads = Heads.load(weights, device, trust)
    kind = Averaged if average else Pipeline
    pipeline = kind(list(heads.stages.values())).eval()
    loader = Loader.of(recipe.simulation, batch, "validation", device)
    if pipeline.bands != loader.bands:
        raise ValueError(f"{weights} works on {pipeline.bands}, the recipe gives {loader.bands}")
    steps = math.ceil(count / batch)
    seen: list[dict[str, Tensor]] = []
    for step in range(steps):
        seen.append(_seen(heads, pipeline, loader(step, device)))
        report((step + 1) / steps, f"{min((step + 1) * batch, count)} of {count} systems")
    columns = {name: torch.cat([part[name] for part in seen])[:count] for name in seen[0]}
    found = {**_temperature(columns), **_spread(columns, len(ELEMENTS) if average else 1)}
    made_by = {
        "average": average,
        "count": count,
        **provenance(recipe_digest=digest_of(recipe.model_dump_json().encode()), device=device),
    }
    save_usual(weights, _usual(columns), heads.classify)
    _write(weights, found, made_by)
    return found


@torch.no_grad()
def _seen(heads: Heads, pipeline: Pipeline, truth: Batch) -> dict[str, Tensor]:
    """What is kept of a batch, on the CPU."""
    predicted = pipeline.predict(truth)
    once = Pipeline(list(heads.stages.values())[:2]).predict
    kept = {
        "is_lens": truth[IS_LENS.name] > 0.5,
        "classified": heads.classify.select(truth),
        "logit": torch.logit(predicted[P_LENS.name].double(), 1e-7),
        "truth": true_parameters(truth),
        **Mixture.of(predicted).batch(),
        **_evidence(heads.classify, once(truth) if isinstance(pipeline, Averaged) else predicted),
    }
    return {name: value.cpu() for name, value in kept.items()}


def _evidence(classify: Classify, batch: Batch) -> dict[str, Tensor]:
    found = evidence(features_of(classify, batch), batch)
    return {f"evidence/{part}": numbers for part, numbers in found.items()}


def _temperature(columns: dict[str, Tensor]) -> dict[str, Any]:
    """Over the systems that classify learns from."""
    logit, is_lens = (columns[name][columns["classified"]].numpy() for name in ("logit", "is_lens"))
    if len(np.unique(is_lens)) < 2:
        raise ValueError(
            "the systems that classify learns from are all lenses or all none: give more of them, "
            "or a recipe with both"
        )
    return {"temperature": fit_temperature(logit, is_lens)}


def _spread(columns: dict[str, Tensor], members: int) -> dict[str, Any]:
    """Factor and tilt, and what they change: coverage at 68 % (of all, and of quarters of growing
    σ) and mean ln density of the truth."""
    lens = columns["is_lens"]
    if not lens.any():
        raise ValueError("no lens among the systems: give more of them")
    truth = columns["truth"][lens]
    before = Mixture.of({name: value[lens] for name, value in columns.items()})
    each = before.members(members)
    tilt = _shared(fit_tilt(each, truth))
    tilted = [member.stretched(torch.ones_like(tilt), tilt) for member in each]
    spread = _shared(fit_spread(tilted, truth, LEVEL).log()).exp()
    after = Mixture.mixed([member.widened(spread) for member in tilted])
    return {
        "spread": dict(zip(PARAMETERS, spread.tolist(), strict=True)),
        "tilt": dict(zip(PARAMETERS, tilt.tolist(), strict=True)),
        "coverage68_before": _coverages(before, truth),
        "coverage68_after": _coverages(after, truth),
        "coverage68_before_by_sigma": _by_sigma(before, before, truth),
        "coverage68_after_by_sigma": _by_sigma(after, before, truth),
        "log_prob_before": float(before.log_prob(truth).mean()),
        "log_prob_after": float(after.log_prob(truth).mean()),
    }


def _shared(found: Float[Tensor, "parameter"]) -> Float[Tensor, "parameter"]:
    """e1 and e2 are one quantity seen turned by 45°, and the sky has no way up: what is found of
    them is one number, known from twice as many values."""
    return torch.cat([found[:1], found[1:].mean().expand(len(found) - 1)])


def _coverages(mixture: Mixture, truth: Float[Tensor, "lens parameter"]) -> dict[str, float]:
    pits = mixture.cdf(truth).double().numpy().T
    return {name: coverage(pit, LEVEL) for name, pit in zip(PARAMETERS, pits, strict=True)}


def _by_sigma(
    mixture: Mixture, ordering: Mixture, truth: Float[Tensor, "lens parameter"]
) -> dict[str, list[float]]:
    """Coverages of quarters of the lenses, from the least σ of `ordering` to the largest."""
    pits, sigma = mixture.cdf(truth).double(), ordering.sigma()
    return {
        name: [coverage(pits[rows, k].numpy(), LEVEL) for rows in sigma[:, k].argsort().chunk(4)]
        for k, name in enumerate(PARAMETERS)
    }


def _usual(columns: dict[str, Tensor]) -> Usual:
    """Gaussians of one half of the systems, distances of the other."""
    found = {
        name.removeprefix("evidence/"): value
        for name, value in columns.items()
        if name.startswith("evidence/")
    }
    half = len(columns["logit"]) // 2
    made_of, held_out = (
        {name: value[rows] for name, value in found.items()}
        for rows in (slice(half), slice(half, None))
    )
    return Usual.of(made_of, held_out)


def _write(weights: Path, found: dict[str, Any], made_by: dict[str, Any]) -> None:
    """Buffers into the weights, and what was found into their cards."""
    stretch = {name: torch.tensor(list(found[name].values())) for name in ("spread", "tilt")}
    amend(weights / "classify.safetensors", temperature=torch.tensor(found["temperature"]))
    amend(weights / "regress.safetensors", **stretch)
    of = {"classify": {"temperature": found["temperature"]}}
    of["regress"] = {name: each for name, each in found.items() if name != "temperature"}
    digests = {n: file_digest(weights / f"{n}.safetensors") for n in STAGES}
    for name, values in of.items():
        _note(weights / f"{name}.json", {"calibrated": {**values, **made_by}}, digests[name])
    card = {"stage": "familiar", "weights": digests, **made_by}
    _note(weights / Path(FILE).with_suffix(".json"), card)


def _note(path: Path, changes: dict[str, Any], digest: str | None = None) -> None:
    """Add to a card, which need not be there; that of shipped weights says their digest."""
    card = cast(dict[str, Any], json.loads(path.read_text())) if path.is_file() else {}
    if digest is not None and "shipped" in card:
        card["shipped"] = {**card["shipped"], "digest": digest}
    path.write_text(json.dumps({**card, **changes}, indent=1))
