"""Loop: a module in training. Its data, optimizer and average; within a budget, resumable."""

import json
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from lensmill.heap import keep_freed_memory
from lensmill.quantities import Batch, Quantity
from lensmill.simulation.shards import read_manifest
from lensmill.stages.display import with_displays
from lensmill.training.checkpoint import load_state, save_state
from lensmill.training.identity import check_same, settings_of
from lensmill.training.interrupt import whole
from lensmill.training.loader import Batches, Loader, ShardLoader, other_settings
from lensmill.training.muon import Muon
from lensmill.training.precision import fastest_precision
from lensmill.training.recipe import SimulationRecipe, TrainingRecipe
from lensmill.training.schedule import learning_rate

logger = logging.getLogger(__name__)

SAVE_SECONDS = 120.0
VALIDATION_BATCHES = 8
OPTIMIZERS = {"adamw": torch.optim.AdamW, "muon": Muon}

Report = Callable[[float, str], None]
"""(share done, a line to show)."""


class DivergedError(ValueError):
    """A training that cannot go on."""


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


class Loop(ABC):
    """The moving parts of a training, whatever is trained."""

    def __init__(
        self,
        name: str,
        module: nn.Module,
        simulation: SimulationRecipe,
        settings: TrainingRecipe,
        device: str,
        shards: Path | None,
        part: int,
    ) -> None:
        """part: of the simulated training split, see `lensmill.training.loader.PART`."""
        from lightning import Fabric

        keep_freed_memory()
        self.name, self.settings, self.seed = name, settings, simulation.seed
        kind, _, number = device.partition(":")
        accelerator = {"auto": "auto", "cpu": "cpu"}.get(kind, "cuda")
        devices = [int(number)] if number and kind == "cuda" else 1
        probe = "cuda" if accelerator != "cpu" and torch.cuda.is_available() else "cpu"
        precision = settings.precision
        if precision == "auto":
            precision = fastest_precision(probe)
        self.fabric = Fabric(accelerator=accelerator, devices=devices, precision=precision)
        self.module: nn.Module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = OPTIMIZERS[settings.optimizer](
            module.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        # The module is not fabric's own, which would round what it is given to bf16.
        self.fabric.to_device(self.module)
        self.optimizer = cast(torch.optim.Optimizer, self.fabric.setup_optimizers(optimizer))
        self.average = {k: v.detach().clone() for k, v in self.module.state_dict().items()}
        self.loader: Batches = (
            replace(Loader.of(simulation, settings.batch, "train", self.device), part=part)
            if shards is None
            else ShardLoader.of(shards, settings.batch)
        )
        self.data = {} if shards is None else {"data_set": read_manifest(shards).identity}
        if shards is not None and (keys := other_settings(shards, simulation)):
            logger.warning(
                "%s is not what the recipe simulates (%s); held-out figures are of the recipe",
                shards,
                ", ".join(keys),
            )
        self.validation = Loader.of(simulation, settings.batch, "validation", self.device)

    @property
    def device(self) -> torch.device:
        return self.fabric.device

    @abstractmethod
    def loss(self, step: int) -> Tensor | None:
        """The mean loss of batch number `step`; None where it has nothing to train on."""

    @property
    @abstractmethod
    def wanted(self) -> tuple[Quantity, ...]:
        """What of a batch is looked at; its pictures are made only if they are."""

    @property
    @abstractmethod
    def tables(self) -> dict[str, Any]:
        """What of the recipe this training is of, as JSON values."""

    @abstractmethod
    def validate(self) -> dict[str, float]:
        """Mean figures of the averaged weights on the validation split."""

    def truth(self, batches: Batches, step: int) -> Batch:
        """Batch number `step` with those of its pictures that are wanted."""
        return with_displays(batches(step, self.device), self.wanted)

    def held_out(self) -> Iterator[Batch]:
        """The batches of the validation split."""
        return (self.truth(self.validation, step) for step in range(VALIDATION_BATCHES))

    def go(self, state: Path, budget: float | None, resume: bool, report: Report) -> Progress:
        """Train to the end, from `state` if it is there; whatever happens, the state is saved."""
        progress = Progress()
        if resume and state.is_file():
            saved = load_state(state, self.module, self.average, self.optimizer)
            check_same(state, saved.pop("settings", None), settings_of(self.tables))
            progress = Progress(**saved)
        try:
            self._run(progress, budget, state, report)
        finally:
            self._save(progress, state)
        return progress

    def averaged(self) -> nn.Module:
        """A copy of the module with the averaged weights, for evaluation."""
        module = deepcopy(self.module)
        module.load_state_dict(self.average)
        return module.eval()

    def _run(self, progress: Progress, budget: float | None, state: Path, report: Report) -> None:
        """Steps until the share done is 1."""
        saved = start = time.monotonic()
        before, running = progress.seconds, None
        while (share := progress.share(self.settings, budget)) < 1:
            with whole():
                loss = self._step(progress.step, share)
                progress.step += 1
                progress.examples += self.settings.batch
                now = time.monotonic()
                progress.seconds = before + now - start
            running = loss if running is None else 0.98 * running + 0.02 * loss
            done = progress.share(self.settings, budget)
            report(done, f"{self.name} step {progress.step} loss {running:.4f}")
            if now - saved > SAVE_SECONDS:
                self._checkpoint(progress, running, state)
                saved = time.monotonic()

    def _step(self, step: int, share: float) -> float:
        """One batch, one update; returns the mean loss. A function of the step and the state:
        what a network draws at random (dropout) is seeded too."""
        torch.manual_seed(self.seed + step)
        loss = self.loss(step)
        if loss is None:
            return 0.0
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(share, self.settings)
        self.optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(loss)
        self._clip(step)
        self.optimizer.step()
        self.update_average(step)
        return float(loss.detach())

    def _clip(self, step: int) -> None:
        """Bound the gradient; DivergedError where it is not finite, before it spoils weights."""
        limit = self.settings.clip
        norm = self.fabric.clip_gradients(
            self.module, self.optimizer, max_norm=limit, error_if_nonfinite=False
        )
        if norm is not None and not norm.isfinite():
            raise DivergedError(
                f"{self.name} diverged: its gradient is not finite at step {step}; try a lower "
                "learning_rate or a longer warmup"
            )

    @torch.no_grad()
    def update_average(self, step: int) -> None:
        """Exponential moving average of the weights, short at the start."""
        decay = min(self.settings.ema, (1 + step) / (10 + step))
        for name, value in self.module.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1 - decay)
            else:
                self.average[name].copy_(value)

    def _checkpoint(self, progress: Progress, running: float, state: Path) -> None:
        """Save the state and the averaged weights, with their validation scores."""
        scores = {"step": progress.step, "seconds": progress.seconds, "loss": running}
        progress.history.append({**scores, **self.validate()})
        logger.info("%s %s", self.name, json.dumps(progress.history[-1]))
        self._save(progress, state)

    def _save(self, progress: Progress, state: Path) -> None:
        known = {"settings": settings_of(self.tables), **vars(progress)}
        save_state(state, self.module, self.average, self.optimizer, known)


def mean_scores(batches: list[dict[str, Tensor]]) -> dict[str, float]:
    """The mean over all examples of each figure."""
    names = dict.fromkeys(name for scores in batches for name in scores)
    columns = {name: [scores[name] for scores in batches if name in scores] for name in names}
    return {name: float(torch.cat(values).mean()) for name, values in columns.items()}


def checked(budget: float | None) -> float | None:
    """`budget`; ValueError where it is no time at all."""
    if budget is not None and budget <= 0:
        raise ValueError(f"a budget is a positive number of seconds, not {budget}")
    return budget
