"""Train: a stage from a recipe, on the fly, within a budget, resumable at any moment."""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from lensmill.provenance import digest, file_digest, provenance
from lensmill.quantities import Batch
from lensmill.stages.base import Stage
from lensmill.stages.display import with_displays
from lensmill.stages.pipeline import Pipeline, observed
from lensmill.training.build import build_stage
from lensmill.training.checkpoint import load_stage, load_state, save_stage, save_state
from lensmill.training.epochs import feed
from lensmill.training.interrupt import whole
from lensmill.training.loader import Batches, Loader, ShardLoader
from lensmill.training.pool import Pair
from lensmill.training.precision import fastest_precision
from lensmill.training.recipe import Recipe, StageRecipe, TrainingRecipe
from lensmill.training.schedule import learning_rate

logger = logging.getLogger(__name__)

SAVE_SECONDS = 120.0
VALIDATION_BATCHES = 8

Report = Callable[[float, str], None]
"""(share done, a line to show)."""


@dataclass
class Progress:
    """How far a training is; `seconds` counts over all sessions."""

    step: int = 0
    seconds: float = 0.0
    examples: int = 0
    history: list[dict[str, float]] = field(default_factory=list)

    def share(self, recipe: TrainingRecipe, budget: float | None) -> float:
        """Share of the training done: of its steps, or of the budget (seconds) if sooner."""
        steps = self.step / recipe.steps
        return min(1.0, steps if budget is None else max(steps, self.seconds / budget))


def train(
    recipe: Recipe,
    name: str,
    out: Path,
    *,
    budget: float | None = None,
    device: str = "auto",
    resume: bool = True,
    shards: Path | None = None,
    report: Report = lambda share, line: None,
) -> Path:
    """Train the stage `name` of `recipe` into `out`; returns the path of its weights.

    budget: seconds of training in all, to which the learning rate's decay is fitted; without one
    the recipe's steps decide, and a resumed run equals an uninterrupted one (in one precision).
    Ctrl-C ends the step in hand, saves the state and is raised again. shards: a data set to train
    on instead of simulating. ValueError where stage, upstream and data have different bands.
    """
    if budget is not None and budget <= 0:
        raise ValueError(f"a budget is a positive number of seconds, not {budget}")
    stage_recipe = _stage_recipe(recipe, name)
    upstream = load_upstream(out, stage_recipe.upstream)
    training = _Training(recipe, name, out, upstream, device, shards)
    state = out / f"{name}.state.safetensors"
    progress = Progress()
    if resume and state.is_file():
        saved = load_state(state, training.stage, training.average, training.optimizer)
        progress = Progress(**saved)
    try:
        training.run(progress, budget, state, report)
    finally:
        training.save(progress, state)
    return training.finish(progress)


def load_upstream(out: Path, names: tuple[str, ...]) -> Pipeline | None:
    """The trained stages `names` in `out` as a frozen pipeline from `noisy`."""
    if not names:
        return None
    for name in names:
        if not (out / f"{name}.safetensors").is_file():
            raise ValueError(f"train {name!r} first: no {name}.safetensors in {out}")
    stages = [load_stage(out / f"{name}.safetensors") for name in names]
    return Pipeline(stages, given=observed(stages)).eval().requires_grad_(False)


def _stage_recipe(recipe: Recipe, name: str) -> StageRecipe:
    if name not in recipe.stages:
        raise ValueError(f"the recipe has no stage {name!r}; it has: {', '.join(recipe.stages)}")
    return recipe.stages[name]


class _Training:
    """The moving parts of one training."""

    def __init__(
        self,
        recipe: Recipe,
        name: str,
        out: Path,
        upstream: Pipeline | None,
        device: str,
        shards: Path | None,
    ) -> None:
        from lightning import Fabric

        self.recipe, self.name, self.out, self.upstream = recipe, name, out, upstream
        self.stage_recipe = recipe.stages[name]
        self.settings = self.stage_recipe.training
        accelerator = {"auto": "auto", "cpu": "cpu"}.get(device, "cuda")
        probe = "cuda" if accelerator != "cpu" and torch.cuda.is_available() else "cpu"
        precision = self.settings.precision
        if precision == "auto":
            precision = fastest_precision(probe)
        self.fabric = Fabric(accelerator=accelerator, devices=1, precision=precision)
        torch.manual_seed(recipe.simulation.seed)
        self.stage: Stage = build_stage(self.stage_recipe).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = torch.optim.AdamW(
            self.stage.parameters(),
            lr=self.settings.learning_rate,
            weight_decay=self.settings.weight_decay,
        )
        self.module, self.optimizer = self.fabric.setup(self.stage, optimizer)
        self.average = {k: v.detach().clone() for k, v in self.stage.state_dict().items()}
        batch = self.settings.batch
        self.loader: Batches = (
            Loader.of(recipe.simulation, batch, "train", self.device)
            if shards is None
            else ShardLoader.of(shards, batch)
        )
        self.validation = Loader.of(recipe.simulation, batch, "validation", self.device)
        self.pool = feed(self.prepare, self.settings, recipe.simulation.seed)
        if upstream is not None:
            upstream.to(self.device)
        self.check_bands()

    def check_bands(self) -> None:
        """ValueError where the stage or its upstream work on other bands than the data have."""
        for part in filter(None, (self.stage, self.upstream)):
            if part.bands != self.loader.bands:
                kind = type(part).__name__
                raise ValueError(f"{kind} works on {part.bands}, the data on {self.loader.bands}")

    @property
    def device(self) -> torch.device:
        return self.fabric.device

    def run(self, progress: Progress, budget: float | None, state: Path, report: Report) -> None:
        """Steps until the share done is 1."""
        saved = start = time.monotonic()
        before, running = progress.seconds, None
        while (share := progress.share(self.settings, budget)) < 1:
            with whole():
                loss = self.step(progress.step, share)
                progress.step += 1
                progress.examples += self.settings.batch
                now = time.monotonic()
                progress.seconds = before + now - start
            running = loss if running is None else 0.98 * running + 0.02 * loss
            done = progress.share(self.settings, budget)
            report(done, f"{self.name} step {progress.step} loss {running:.4f}")
            if now - saved > SAVE_SECONDS:
                self.checkpoint(progress, running, state)
                saved = time.monotonic()

    def step(self, step: int, share: float) -> float:
        """One batch, one update; returns the mean loss. A function of the step and the state:
        what a network draws at random (dropout) is seeded too."""
        torch.manual_seed(self.recipe.simulation.seed + step)
        batch, truth = self.pool(step)
        if not batch or not len(next(iter(batch.values()))):
            return 0.0
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(share, self.settings)
        loss = self.stage.loss(self.module(batch), truth).mean()
        self.optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(loss)
        self.fabric.clip_gradients(self.module, self.optimizer, max_norm=self.settings.clip)
        self.optimizer.step()
        self.update_average(step)
        return float(loss.detach())

    def prepare(self, step: int) -> Pair:
        """Batch number `step` as the stage reads it, and its truth: the examples to train on."""
        truth = self.truth(self.loader, step)
        batch = self.inputs(truth)
        chosen = self.stage.select(truth)
        read = {quantity.name: batch[quantity.name][chosen] for quantity in self.stage.reads}
        return read, {quantity.name: truth[quantity.name][chosen] for quantity in self.stage.learns}

    def truth(self, batches: Batches, step: int) -> Batch:
        """Batch number `step`, and those of its pictures that are asked for."""
        given = () if self.upstream is None else self.upstream.given
        wanted = (*self.stage.reads, *self.stage.learns, *given)
        return with_displays(batches(step, self.device), wanted)

    @torch.no_grad()
    def inputs(self, truth: Batch) -> Batch:
        """What the stage reads: from the simulator, or from the stages before it."""
        if self.upstream is None:
            return truth
        with self.fabric.autocast():
            return {**truth, **self.upstream.predict(truth)}

    @torch.no_grad()
    def update_average(self, step: int) -> None:
        """Exponential moving average of the weights, short at the start."""
        decay = min(self.settings.ema, (1 + step) / (10 + step))
        for name, value in self.stage.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1 - decay)
            else:
                self.average[name].copy_(value)

    def checkpoint(self, progress: Progress, running: float, state: Path) -> None:
        """Save the state and the averaged weights, with their validation scores."""
        scores = {"step": progress.step, "seconds": progress.seconds, "loss": running}
        progress.history.append({**scores, **self.validate()})
        logger.info("%s %s", self.name, json.dumps(progress.history[-1]))
        self.save(progress, state)

    def save(self, progress: Progress, state: Path) -> None:
        save_state(state, self.stage, self.average, self.optimizer, vars(progress))

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Mean loss and metrics of the averaged weights on the validation split."""
        stage = self.averaged()
        values: dict[str, list[Tensor]] = {}
        for step in range(VALIDATION_BATCHES):
            truth = self.truth(self.validation, step)
            batch = self.inputs(truth)
            chosen = stage.select(truth)
            batch, truth = ({k: v[chosen] for k, v in b.items()} for b in (batch, truth))
            with self.fabric.autocast():
                output = stage(batch)
            scores = stage.metrics(stage.decode(output, batch), truth)
            for key, value in {"validation_loss": stage.loss(output, truth), **scores}.items():
                values.setdefault(key, []).append(value)
        return {key: float(torch.cat(value).mean()) for key, value in values.items()}

    def averaged(self) -> Stage:
        """A copy of the stage with the averaged weights, for evaluation."""
        stage = build_stage(self.stage_recipe)
        stage.load_state_dict(self.average)
        return stage.eval().to(self.device)

    def finish(self, progress: Progress) -> Path:
        """Write the averaged weights and their card."""
        path = self.out / f"{self.name}.safetensors"
        save_stage(path, self.averaged(), self.stage_recipe)
        parents = {
            n: file_digest(self.out / f"{n}.safetensors") for n in self.stage_recipe.upstream
        }
        recipe_digest = digest(self.recipe.model_dump_json().encode())
        card = {
            "stage": self.name,
            "recipe": self.recipe.model_dump(mode="json"),
            "parameters": sum(p.numel() for p in self.stage.parameters()),
            "examples": progress.examples,
            "steps": progress.step,
            "seconds": round(progress.seconds, 1),
            "scores": self.validate(),
            "history": progress.history,
            **provenance(device=str(self.device), upstream=parents, recipe_digest=recipe_digest),
        }
        path.with_suffix(".json").write_text(json.dumps(card, indent=1))
        return path
