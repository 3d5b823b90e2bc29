"""Together: the trained stages of a recipe trained on as one chain, end to end."""

import json
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from lensmill.provenance import file_digest, provenance
from lensmill.quantities import Batch, Quantity
from lensmill.stages.pipeline import Pipeline, observed
from lensmill.training.checkpoint import save_stage
from lensmill.training.epochs import feed
from lensmill.training.loop import Loop, Progress, Report, checked, mean_scores
from lensmill.training.pool import Pair
from lensmill.training.recipe import Recipe, TogetherRecipe
from lensmill.training.train import account, has_own_parts, load_trained, recipe_digest

NAME = "together"


def together(
    recipe: Recipe,
    out: Path,
    *,
    budget: float | None = None,
    device: str = "auto",
    resume: bool = True,
    shards: Path | None = None,
    report: Report = lambda share, line: None,
) -> Path:
    """Train the stages in `out` on as one chain; their weights go to the folder `out`/together.

    The loss is the sum of the stages' losses along the chain from what is observed, so that every
    stage learns what the later ones need of it; and of the losses of those the recipe lists under
    `alone`, each given the truth, so that they stay good at that. For the rest see `train`.
    """
    checked(budget)
    if recipe.together is None:
        raise ValueError("the recipe has no table [together]: give it one, empty if need be")
    training = _Together(recipe, recipe.together, out, device, shards)
    progress = training.go(out / f"{NAME}.state.safetensors", budget, resume, report)
    return training.finish(progress)


class _Together(Loop):
    """The training of a chain."""

    def __init__(
        self,
        recipe: Recipe,
        chosen: TogetherRecipe,
        out: Path,
        device: str,
        shards: Path | None,
    ) -> None:
        self.recipe, self.chosen, self.out = recipe, chosen, out
        stages = load_trained(out, chosen.stages, has_own_parts(recipe))
        for stage in stages:
            stage.forget_calibration()
        self.pipeline = Pipeline(stages, given=observed(stages)).train()
        settings, part = chosen.training, len(stages)
        super().__init__(NAME, self.pipeline, recipe.simulation, settings, device, shards, part)
        self.feed = feed(self.prepare, chosen.training, recipe.simulation.seed)
        if self.pipeline.bands != self.loader.bands:
            have = self.loader.bands
            raise ValueError(f"the stages work on {self.pipeline.bands}, the data on {have}")

    def loss(self, step: int) -> Tensor:
        given, rest = self.feed(step)
        truth = {**given, **rest}
        with self.fabric.autocast():
            return torch.stack([each.mean() for each in self.losses(self.pipeline, truth)]).sum()

    def prepare(self, step: int) -> Pair:
        """Batch number `step`: what the chain is given of it, and the rest."""
        truth = self.truth(self.loader, step)
        given = {quantity.name for quantity in self.pipeline.given}
        rest = {quantity.name for quantity in self.wanted} - given
        return {name: truth[name] for name in given}, {name: truth[name] for name in rest}

    def losses(self, pipeline: Pipeline, truth: Batch) -> list[Tensor]:
        """Along the chain, and of the stages that stand alone."""
        chain = pipeline.losses(truth)
        stages = dict(zip(self.chosen.stages, pipeline.members, strict=True))
        alone = [Pipeline([stages[name]], given=stages[name].reads) for name in self.chosen.alone]
        return [*chain, *(loss for each in alone for loss in each.losses(truth))]

    @property
    def wanted(self) -> tuple[Quantity, ...]:
        return tuple(q for stage in self.pipeline.members for q in (*stage.reads, *stage.learns))

    @property
    def tables(self) -> dict[str, Any]:
        parts = {"simulation": self.recipe.simulation, NAME: self.chosen}
        stages = {name: self.recipe.stages[name] for name in self.chosen.stages}
        return {
            **{name: part.model_dump(mode="json") for name, part in parts.items()},
            **{name: s.model_dump(mode="json", exclude={"training"}) for name, s in stages.items()},
        }

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        pipeline = cast(Pipeline, self.averaged())
        scores = []
        for truth in self.held_out():
            with self.fabric.autocast():
                predicted = pipeline.predict(truth)
            scores.append(_figures(pipeline, predicted, truth))
        return mean_scores(scores)

    def finish(self, progress: Progress) -> Path:
        """Write the averaged weights of every stage, each with its card."""
        folder, scores = self.out / NAME, self.validate()
        parents = {n: file_digest(self.out / f"{n}.safetensors") for n in self.chosen.stages}
        averaged = cast(Pipeline, self.averaged())
        for name, stage in zip(self.chosen.stages, averaged.members, strict=True):
            path = folder / f"{name}.safetensors"
            save_stage(path, stage, self.recipe.stages[name])
            card = {
                "stage": name,
                "parameters": sum(p.numel() for p in stage.parameters()),
                "scores": scores,
                "together": list(self.chosen.stages),
                **account(self.recipe, progress),
                **self.data,
                **provenance(
                    device=str(self.device),
                    parents=parents,
                    recipe_digest=recipe_digest(self.recipe),
                ),
            }
            path.with_suffix(".json").write_text(json.dumps(card, indent=1))
        return folder


def _figures(pipeline: Pipeline, predicted: Batch, truth: Batch) -> dict[str, Tensor]:
    """Every stage's metrics, each over the examples that it selects."""
    return {
        name: value[stage.select(truth)]
        for stage in pipeline.members
        for name, value in stage.metrics(predicted, truth).items()
    }
