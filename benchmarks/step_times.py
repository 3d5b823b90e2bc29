"""Step times: what a step of each training of an ablation costs, on a machine that others use too.

Every training is timed in `ROUNDS` rounds through all of them, before anything is trained, and the
least counts; trainings that compute the same share it. Else the moment at which a variant was timed
would decide how many steps it gets.
"""

import json
import shutil
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from lensmill.evaluation.modules import STAGES
from lensmill.provenance import digest
from lensmill.training.build import build_stage
from lensmill.training.checkpoint import save_stage
from lensmill.training.recipe import Recipe, TrainingRecipe
from lensmill.training.together import NAME, together
from lensmill.training.train import train

ROUNDS = 3
FRESH, KEPT = 3, 3
"""Steps timed with new examples and with kept ones."""
FILE = "step_times.json"

Seconds = tuple[float, float]
"""Of a step with new examples, and of one with kept ones."""


def settings(recipe: Recipe, name: str) -> TrainingRecipe:
    """How a stage, or the chain, is trained."""
    if name == NAME:
        assert recipe.together is not None
        return recipe.together.training
    return recipe.stages[name].training


def training(recipe: Recipe, name: str, **update: Any) -> Recipe:
    """The recipe with other settings of one training."""
    new = settings(recipe, name).model_copy(update=update)
    if name == NAME:
        assert recipe.together is not None
        chain = recipe.together.model_copy(update={"training": new})
        return recipe.model_copy(update={"together": chain})
    stage = recipe.stages[name].model_copy(update={"training": new})
    return recipe.model_copy(update={"stages": {**recipe.stages, name: stage}})


def trained(recipe: Recipe, name: str, out: Path, device: str, report: Any = None) -> None:
    """Train a stage, or the chain, into `out`."""
    same: dict[str, Any] = {"device": device, **({"report": report} if report else {})}
    if name == NAME:
        together(recipe, out, **same)
    else:
        train(recipe, name, out, **same)


def untrained(recipe: Recipe, names: set[str], out: Path) -> None:
    """Stages as they are drawn, in `out`."""
    for name in names:
        stage = recipe.stages[name]
        save_stage(out / f"{name}.safetensors", build_stage(stage), stage)


def alike(recipe: Recipe, name: str) -> str:
    """A digest of what a step of a training computes."""
    chain = recipe.together if name == NAME else None
    read = chain.stages if chain else (*recipe.stages[name].upstream, name)
    stages = [recipe.stages[each] for each in read]
    parts = [s.model_dump_json(exclude={"training", "upstream_share"}) for s in stages]
    alone = [str(chain.alone)] if chain else []
    own = settings(recipe, name).model_dump_json(exclude={"steps", "pool", "learning_rate"})
    return digest("\n".join([*parts, *alone, own]).encode())


def step_times(trainings: list[tuple[Recipe, str]], out: Path, device: str) -> dict[str, Seconds]:
    """Those of every training, by what is `alike`; measured once, then read."""
    path = out / FILE
    if not path.is_file():
        different = {alike(recipe, name): (recipe, name) for recipe, name in trainings}
        least: dict[str, Seconds] = {}
        for number in range(ROUNDS):
            for key, (recipe, name) in different.items():
                found = _seconds(recipe, name, out / "timing", device)
                least[key] = _least(least.get(key, found), found)
            print(f"timed, round {number + 1} of {ROUNDS}", flush=True)
        path.write_text(json.dumps(least, indent=1))
    return {key: (fresh, kept) for key, (fresh, kept) in json.loads(path.read_text()).items()}


def _least(first: Seconds, second: Seconds) -> Seconds:
    return min(first[0], second[0]), min(first[1], second[1])


def _seconds(recipe: Recipe, name: str, aside: Path, device: str) -> Seconds:
    """The least of a few steps of each kind, after untrained stages."""
    pool = settings(recipe, name).pool
    few = training(recipe, name, steps=FRESH + KEPT + 1, pool=FRESH + 1 if pool else 0)
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    untrained(recipe, set(STAGES), aside)
    moments: list[float] = []
    clock = time.process_time if device == "cpu" else time.perf_counter
    trained(few, name, aside, device, lambda share, line: moments.append(clock()))
    shutil.rmtree(aside)
    steps = [after - before for before, after in pairwise(moments)]
    return min(steps[:FRESH]), min(steps[FRESH:] if pool else steps)
