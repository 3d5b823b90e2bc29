"""Search: better settings of a stage, by many short trainings that Optuna chooses and cuts off."""

import csv
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lensmill.provenance import digest
from lensmill.stages.base import Stage
from lensmill.training.build import build_stage
from lensmill.training.loop import DivergedError, Report, checked
from lensmill.training.pool import Pair
from lensmill.training.recipe import Recipe, StageRecipe
from lensmill.training.recipe_text import recipe_text
from lensmill.training.search_space import applied, nearest, suggested, varied
from lensmill.training.train import StageTraining, has_own_parts, load_upstream, stage_recipe

COLUMNS = ("trial", "state", "validation_loss", "parameters", "steps")
"""Of the table, before what is varied."""
RUNGS = 5
"""Looks at a trial, equally spaced; at each but the last the worse half is cut off."""
STARTUP = 4
"""Trials that are never cut off, and before which nothing is known of the space."""


def search(
    recipe: Recipe,
    name: str,
    out: Path,
    *,
    trials: int = 20,
    budget: float = 600.0,
    weights: Path | None = None,
    device: str = "auto",
    shards: Path | None = None,
    report: Report = lambda share, line: None,
) -> Path:
    """Train the stage `name` in many ways of `search_space.SPACE`; returns the best one's recipe.

    trials: how many in all, counting those that `out` holds; the first is the recipe's own.
    budget: seconds of each. weights: a folder with the stages before it, where it has some.
    A trial's figure is the loss of the recipe's own stage on held-out examples that all trials
    share, so trials that train with another loss compare. Writes study.db, which a later search
    goes on with, trials.csv (a row for each) and best.toml into `out`. Needs Optuna.
    """
    checked(budget)
    chosen = stage_recipe(recipe, name)
    out.mkdir(parents=True, exist_ok=True)
    study = _study(recipe, name, out / "study.db", budget)
    maker = _Trials(recipe, name, out, budget, weights or out, device, shards, build_stage(chosen))
    pairs = maker.held_out()
    while (done := len(_finished(study))) < trials:

        def tell(share: float, line: str, done: int = done) -> None:
            report((done + share) / trials, f"trial {done + 1} of {trials}: {line}")

        maker.one(study, pairs, tell)
        write_table(study, chosen, out / "trials.csv")
    best = _with_stage(recipe, name, applied(chosen, study.best_trial.params))
    path = out / "best.toml"
    path.write_text(recipe_text(best), encoding="utf-8")
    return path


@dataclass(frozen=True)
class _Trials:
    """Makes trials, one like another."""

    recipe: Recipe
    name: str
    out: Path
    budget: float
    weights: Path
    device: str
    shards: Path | None
    judge: Stage

    def held_out(self) -> list[Pair]:
        """The examples on which every trial is scored."""
        own = self.training(self.recipe)
        self.judge.to(own.device)
        return list(own.used())

    def training(self, recipe: Recipe) -> StageTraining:
        names = recipe.stages[self.name].upstream
        upstream = load_upstream(self.weights, names, has_own_parts(recipe))
        return StageTraining(recipe, self.name, self.out, upstream, self.device, self.shards)

    def one(self, study: Any, pairs: list[Pair], report: Report) -> None:
        """The next trial of the study; one that was interrupted goes on."""
        optuna, trial = _optuna(), study.ask()
        values = suggested(trial, self.recipe.stages[self.name])
        chosen = applied(self.recipe.stages[self.name], values)
        training = self.training(_with_stage(self.recipe, self.name, chosen))
        trial.set_user_attr("parameters", sum(p.numel() for p in training.stage.parameters()))
        state = self.out / f"{digest(chosen.model_dump_json().encode())}.state.safetensors"

        def figure() -> float:
            loss = training.scored(pairs, self.judge)["validation_loss"]
            return loss if math.isfinite(loss) else math.inf

        try:
            self.watched(training, trial, state, figure, report)
            study.tell(trial, figure())
        except optuna.TrialPruned:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        except DivergedError:
            study.tell(trial, math.inf)
        state.unlink()

    def watched(
        self,
        training: StageTraining,
        trial: Any,
        state: Path,
        figure: Callable[[], float],
        report: Report,
    ) -> None:
        """Train to the end, unless the study loses patience."""
        rung = 0

        def watch(share: float, line: str) -> None:
            nonlocal rung
            report(share, line)
            if rung < int(share * RUNGS) < RUNGS:
                rung = int(share * RUNGS)
                trial.report(figure(), rung)
                if trial.should_prune():
                    raise _optuna().TrialPruned

        progress = training.go(state, self.budget, True, watch)
        trial.set_user_attr("steps", progress.step)


def write_table(study: Any, recipe: StageRecipe, path: Path) -> None:
    """A row for each trial that came to an end."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, *varied(recipe)])
        for trial in _finished(study):
            values = (trial.params.get(key) for key in varied(recipe))
            known = (trial.user_attrs.get(key) for key in COLUMNS[-2:])
            writer.writerow([trial.number, trial.state.name.lower(), trial.value, *known, *values])


def _study(recipe: Recipe, name: str, path: Path, budget: float) -> Any:
    """The study in a file, new or gone on with; ValueError where it is of something else."""
    optuna = _optuna()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name="search",
        storage=f"sqlite:///{path}",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP),
    )
    identity = digest(f"{recipe.model_dump_json()} {name} {budget}".encode())
    if study.user_attrs.get("identity", identity) != identity:
        raise ValueError(f"{path} is of another recipe, stage or budget; choose another out")
    if not study.user_attrs:
        study.set_user_attr("identity", identity)
        study.enqueue_trial(nearest(recipe.stages[name]))
    _revive(study)
    seed = recipe.simulation.seed + len(study.trials)
    study.sampler = optuna.samplers.TPESampler(n_startup_trials=STARTUP, seed=seed)
    return study


def _revive(study: Any) -> None:
    """Ask for trials that were interrupted once more."""
    states = _optuna().trial.TrialState
    for trial in study.get_trials(states=(states.RUNNING,)):
        study.tell(trial.number, state=states.FAIL)
        study.enqueue_trial(trial.params)


def _finished(study: Any) -> list[Any]:
    """Trials that came to an end, early or late."""
    states = _optuna().trial.TrialState
    found: list[Any] = study.get_trials(states=(states.COMPLETE, states.PRUNED))
    return found


def _with_stage(recipe: Recipe, name: str, stage: StageRecipe) -> Recipe:
    return recipe.model_copy(update={"stages": {**recipe.stages, name: stage}})


def _optuna() -> Any:
    """The module; ValueError where it is not installed."""
    try:
        import optuna
    except ImportError:
        raise ValueError("a search needs Optuna: pip install 'lensmill[search]'") from None
    return optuna
