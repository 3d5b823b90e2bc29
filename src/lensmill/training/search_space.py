"""Search space: what of a stage a search varies, and between which values."""

import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from lensmill.training.build import resolve
from lensmill.training.recipe import Part, StageRecipe

Value = str | float
"""As a study stores it: a number of a range, or JSON of one of a few."""


@runtime_checkable
class Suggests(Protocol):
    """Optuna's trial."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float: ...

    def suggest_categorical(self, name: str, choices: Any) -> Any: ...


@dataclass(frozen=True)
class Between:
    """Any number of a range, uniform in its logarithm."""

    low: float
    high: float

    def suggested(self, trial: Suggests, name: str, own: float) -> Value:
        """The trial's value."""
        return trial.suggest_float(name, self.low, self.high, log=True)

    def nearest(self, own: float) -> Value:
        """The recipe's own value, or the end of the range that is nearest to it."""
        return min(max(own, self.low), self.high)


@dataclass(frozen=True)
class OneOf:
    """One of a few values, and the recipe's own."""

    values: tuple[Any, ...]

    def suggested(self, trial: Suggests, name: str, own: Any) -> Value:
        """The trial's value."""
        others = [value for value in self.values if value != own]
        text: str = trial.suggest_categorical(name, tuple(map(json.dumps, [own, *others])))
        return text

    def nearest(self, own: Any) -> Value:
        """The recipe's own value."""
        return json.dumps(own)


SPACE: dict[str, Between | OneOf] = {
    "training.optimizer": OneOf(("adamw", "muon")),
    "training.learning_rate": Between(2e-4, 1e-2),
    "training.weight_decay": Between(1e-5, 1e-1),
    "training.batch": OneOf((8, 16, 32)),
    "stage.stretched": OneOf((0.0, 0.25, 0.5, 0.75)),
    "stage.colours": OneOf((False, True)),
    "stage.unmixed": OneOf((False, True)),
    "stage.band_limited": OneOf((False, True)),
    "network.blocks": OneOf((1, 2, 3)),
    "network.fold": OneOf((2, 3)),
    "network.widths": OneOf(((24, 32, 48), (32, 48, 64), (48, 64, 96), (64, 96, 128), (48, 96))),
    "network.width": OneOf((24, 32, 48)),
    "network.wide": OneOf((48, 64, 96)),
    "network.radii": OneOf((12, 16, 20, 24)),
    "network.angles": OneOf((32, 48, 64)),
}
"""By table and key of a stage's recipe; a stage varies those that its parts take."""


def varied(recipe: StageRecipe) -> dict[str, Any]:
    """The keys of `SPACE` that a stage's parts take, and the recipe's own value of each."""
    own = {f"training.{key}": value for key, value in dict(recipe.training).items()}
    for table in ("stage", "network"):
        own |= {f"{table}.{key}": value for key, value in _keywords(getattr(recipe, table)).items()}
    return {path: own[path] for path in SPACE if path in own}


def _keywords(part: Part) -> dict[str, Any]:
    """All keywords of a part with their values, given or default."""
    parameters = inspect.signature(resolve(part.name, trusted=True)).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    return {**defaults, **part.keywords}


def suggested(trial: Suggests, recipe: StageRecipe) -> dict[str, Value]:
    """A trial's value of everything that is varied."""
    return {path: SPACE[path].suggested(trial, path, own) for path, own in varied(recipe).items()}


def nearest(recipe: StageRecipe) -> dict[str, Value]:
    """The recipe itself, as near as the space has it."""
    return {path: SPACE[path].nearest(own) for path, own in varied(recipe).items()}


def applied(recipe: StageRecipe, values: Mapping[str, Value]) -> StageRecipe:
    """The recipe with a trial's values."""
    tables = recipe.model_dump(mode="json")
    for path, value in values.items():
        table, key = path.split(".")
        tables[table][key] = json.loads(value) if isinstance(value, str) else value
    return StageRecipe.model_validate(tables)
