"""Train: a stage from a recipe, on the fly, within a budget, resumable at any moment."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch

from lensmill.provenance import digest, file_digest, provenance
from lensmill.quantities import SKY_SIGMA, Batch, Quantity
from lensmill.stages.base import Stage
from lensmill.stages.pipeline import Pipeline, observed
from lensmill.training.build import BUILT_IN, build_stage
from lensmill.training.checkpoint import load_stage, save_stage
from lensmill.training.epochs import feed
from lensmill.training.loader import Loader, own_part
from lensmill.training.loop import Loop, Progress, Report, checked, mean_scores
from lensmill.training.pool import Pair
from lensmill.training.recipe import Recipe, StageRecipe


def train(
    recipe: Recipe,
    name: str,
    out: Path,
    *,
    budget: float | None = None,
    device: str = "auto",
    resume: bool = True,
    shards: Path | None = None,
    start: Path | None = None,
    report: Report = lambda share, line: None,
) -> Path:
    """Train the stage `name` of `recipe` into `out`; returns the path of its weights.

    budget: seconds of training in all, to which the learning rate's decay is fitted; without one
    the recipe's steps decide, and a resumed run equals an uninterrupted one (in one precision).
    Ctrl-C ends the step in hand, saves the state and is raised again. shards: a data set to train
    on instead of simulating. start: a folder with weights of the same stage, from which a training
    that has no state yet sets out, on simulated systems of its own. ValueError where stage,
    upstream and data have different bands, or those weights are of another stage or network.
    """
    checked(budget)
    upstream = load_upstream(out, stage_recipe(recipe, name).upstream, has_own_parts(recipe))
    training = StageTraining(recipe, name, out, upstream, device, shards)
    if start is not None:
        training.set_out_from(start / f"{name}.safetensors")
    progress = training.go(out / f"{name}.state.safetensors", budget, resume, report)
    return training.finish(progress)


def has_own_parts(recipe: Recipe) -> bool:
    """Does a recipe name parts outside this package? Then its trained stages may too."""
    parts = (part for stage in recipe.stages.values() for part in (stage.stage, stage.network))
    return any(part.name not in BUILT_IN for part in parts)


def load_upstream(out: Path, names: tuple[str, ...], trust: bool = False) -> Pipeline | None:
    """The trained stages `names` in `out` as a frozen pipeline from what is observed."""
    if not names:
        return None
    stages = load_trained(out, names, trust)
    return Pipeline(stages, given=observed(stages)).eval().requires_grad_(False)


def load_trained(out: Path, names: tuple[str, ...], trust: bool = False) -> list[Stage]:
    """The trained stages `names` in `out`; ValueError where one is not trained yet."""
    for name in names:
        if not (out / f"{name}.safetensors").is_file():
            raise ValueError(f"train {name!r} first: no {name}.safetensors in {out}")
    return [load_stage(out / f"{name}.safetensors", trust) for name in names]


def stage_recipe(recipe: Recipe, name: str) -> StageRecipe:
    """The recipe of the stage `name`; ValueError lists the choices."""
    if name not in recipe.stages:
        raise ValueError(f"the recipe has no stage {name!r}; it has: {', '.join(recipe.stages)}")
    return recipe.stages[name]


class StageTraining(Loop):
    """The training of one stage."""

    def __init__(
        self,
        recipe: Recipe,
        name: str,
        out: Path,
        upstream: Pipeline | None,
        device: str,
        shards: Path | None,
    ) -> None:
        self.recipe, self.out, self.upstream = recipe, out, upstream
        self.started_from: str | None = None
        self.stage_recipe = recipe.stages[name]
        torch.manual_seed(recipe.simulation.seed)
        self.stage = build_stage(self.stage_recipe)
        settings = self.stage_recipe.training
        depth = len(self.stage_recipe.upstream)
        super().__init__(name, self.stage, recipe.simulation, settings, device, shards, depth)
        self.feed = feed(self.prepare, settings, recipe.simulation.seed)
        if upstream is not None:
            upstream.to(self.device)
        self.check_bands()

    def set_out_from(self, weights: Path) -> None:
        """Begin with the weights in a file, less their calibration."""
        known = load_stage(weights, has_own_parts(self.recipe))
        known.forget_calibration()
        try:
            self.stage.load_state_dict(known.state_dict())
        except RuntimeError as error:
            raise ValueError(f"{weights} does not fit the recipe's {self.name}: {error}") from None
        self.average = {k: v.detach().clone() for k, v in self.module.state_dict().items()}
        self.started_from = file_digest(weights)
        if isinstance(self.loader, Loader):
            part = own_part(self.loader.part, self.started_from)
            self.loader = replace(self.loader, part=part)

    def check_bands(self) -> None:
        """ValueError where the stage or its upstream work on other bands than the data have."""
        for part in filter(None, (self.stage, self.upstream)):
            if part.bands != self.loader.bands:
                kind = type(part).__name__
                raise ValueError(f"{kind} works on {part.bands}, the data on {self.loader.bands}")

    def loss(self, step: int) -> torch.Tensor | None:
        batch, truth = self.feed(step)
        if not batch or not len(next(iter(batch.values()))):
            return None
        with self.fabric.autocast():
            output = self.stage(batch)
        return self.stage.loss(output, truth).mean()

    def prepare(self, step: int) -> Pair:
        """The examples of batch number `step`."""
        return self.pair(self.truth(self.loader, step))

    def pair(self, truth: Batch, share: float | None = None) -> Pair:
        """A batch as the stage reads it, and its truth: the examples to train on. share: of them
        that come from the stages before; the recipe's."""
        batch = self.inputs(truth, self.stage_recipe.upstream_share if share is None else share)
        chosen = self.stage.select(truth)
        read = {quantity.name: batch[quantity.name][chosen] for quantity in self.stage.reads}
        return read, {quantity.name: truth[quantity.name][chosen] for quantity in self.stage.learns}

    @property
    def wanted(self) -> tuple[Quantity, ...]:
        given = () if self.upstream is None else self.upstream.given
        return (*self.stage.reads, *self.stage.learns, *given)

    @torch.no_grad()
    def inputs(self, truth: Batch, share: float) -> Batch:
        """What the stage reads: from the simulator, or a share from the stages before it."""
        if self.upstream is None:
            return truth
        with self.fabric.autocast():
            predicted = self.upstream.predict(truth)
        count = round(share * len(truth[SKY_SIGMA.name]))
        known = {name: value for name, value in truth.items() if name in predicted}
        return {**truth, **predicted, **_joined(predicted, known, count)}

    @property
    def tables(self) -> dict[str, Any]:
        parts = {"simulation": self.recipe.simulation, self.name: self.stage_recipe}
        return {name: part.model_dump(mode="json") for name, part in parts.items()}

    def validate(self) -> dict[str, float]:
        return self.scored(self.used())

    def used(self) -> Iterator[Pair]:
        """Held-out examples as the stage meets them in use: all from the stages before it, unless
        it learns from the truth alone."""
        share = float(self.stage_recipe.upstream_share > 0)
        return (self.pair(truth, share) for truth in self.held_out())

    @torch.no_grad()
    def scored(self, pairs: Iterable[Pair], judge: Stage | None = None) -> dict[str, float]:
        """Mean figures of the averaged weights on examples; the loss is the judge's, or its own."""
        stage = cast(Stage, self.averaged())
        scores = []
        for read, known in pairs:
            with self.fabric.autocast():
                output = stage(read)
            figures = stage.metrics(stage.decode(output, read), known)
            loss = (judge or stage).loss(output, known)
            scores.append({"validation_loss": loss, **figures})
        return mean_scores(scores)

    def finish(self, progress: Progress) -> Path:
        """Write the averaged weights and their card."""
        path = self.out / f"{self.name}.safetensors"
        save_stage(path, cast(Stage, self.averaged()), self.stage_recipe)
        upstream = {
            n: file_digest(self.out / f"{n}.safetensors") for n in self.stage_recipe.upstream
        }
        card = {
            "stage": self.name,
            "parameters": sum(p.numel() for p in self.stage.parameters()),
            "scores": self.validate(),
            **({"started_from": self.started_from} if self.started_from else {}),
            **({"part": self.loader.part} if isinstance(self.loader, Loader) else {}),
            **account(self.recipe, progress),
            **self.data,
            **provenance(
                device=str(self.device), upstream=upstream, recipe_digest=recipe_digest(self.recipe)
            ),
        }
        path.with_suffix(".json").write_text(json.dumps(card, indent=1))
        return path


def _joined(first: Batch, rest: Batch, count: int) -> Batch:
    """What both hold: `count` rows of the first, and the others of the rest."""
    return {name: torch.cat([first[name][:count], rest[name][count:]]) for name in rest}


def account(recipe: Recipe, progress: Progress) -> dict[str, object]:
    """What a card says of the training itself."""
    return {
        "recipe": recipe.model_dump(mode="json"),
        "examples": progress.examples,
        "steps": progress.step,
        "seconds": round(progress.seconds, 1),
        "history": progress.history,
    }


def recipe_digest(recipe: Recipe) -> str:
    """A recipe's digest."""
    return digest(recipe.model_dump_json().encode())
