"""Domain: does a run's data look like what the networks were trained on?"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from lensmill.evaluation.dataset import distributions
from lensmill.evaluation.files import read_json
from lensmill.evaluation.two_samples import Classes, probe_auc
from lensmill.provenance import provenance
from lensmill.quantities import Batch
from lensmill.survey.advice import advise, closer
from lensmill.survey.candidates import finished_run
from lensmill.survey.chain import Chain, load_chain
from lensmill.survey.measuring import as_batch
from lensmill.survey.run import reading_of
from lensmill.survey.stamps import Reading, Stamp, find_objects, read
from lensmill.survey.traits import penultimate, traits
from lensmill.training.loader import Loader
from lensmill.training.recipe import Recipe, SimulationRecipe
from lensmill.training.recipe_text import recipe_text
from lensmill.weights import FOLDER

BATCH = 8
"""Small: the stamps of a simulated batch share a shape and a pixel scale."""
PERCENTILES = (5, 50, 95)
CENTRAL = (1, 99)
"""Percent of the training, between which, and 5 % of that span beyond, a trait is inside."""

Array = NDArray[np.float64]
Report = Callable[[float, str], None]


@dataclass(frozen=True)
class Looked:
    """Traits (object,) by name and features (object, feature) of some objects."""

    traits: dict[str, Array]
    features: Array

    def __getitem__(self, rows: Any) -> "Looked":
        chosen = {name: column[rows] for name, column in self.traits.items()}
        return Looked(chosen, self.features[rows])

    def __len__(self) -> int:
        return len(self.features)


def check_domain(
    run: Path,
    images: Path | None = None,
    *,
    reading: Reading | None = None,
    weights: Path | None = None,
    count: int = 384,
    trust: bool = False,
    device: str = "cpu",
    report: Report = lambda share, line: None,
) -> dict[str, Any]:
    """Compare the objects of `run` with the training simulation of its weights; the comparison.

    Up to `count` of the objects are looked at, and as many simulated ones. images: the folder that
    was run, where it is not that of run.json any more. reading: None for that of the run. Writes
    domain.json, domain.png (yours orange, training blue) and finetune.toml into `run`. ValueError
    where the run is not finished, the folder is gone, weights or reading are not those of the run,
    or the weights have no card that says what they were trained on.
    """
    table, settings = finished_run(run).table, read_json(run / "run.json")
    folder = images or _folder_read(run, settings)
    reading = reading_of(run, reading)
    chain = load_chain(weights, trust)
    if settings.get("weights") != chain.digests:
        raise ValueError(f"{run} was made with other weights; give theirs")
    chain.pipeline.to(device)
    stamps = _stamps(table, folder, reading, count)
    recipe = _trained_by(weights or FOLDER)
    yours = look(chain, _batches(stamps, device), lambda n: report(n / 2 / len(stamps), "yours"))
    steps = -(-count // BATCH)
    loader = Loader.of(recipe.simulation, BATCH, "validation", device)
    simulated = [loader(step, device) for step in range(steps)]
    kinds = np.concatenate([batch["kind"].cpu().numpy() for batch in simulated])
    training = look(chain, simulated, lambda n: report(0.5 + n / 2 / count, "training"))
    training.traits["pixel_scale"] = _scales(loader, len(training))
    found = compare(yours, training, kinds)
    flags = _flags(table)
    advice = advise(found["traits"], flags)
    summary = {**found, "flags": flags, "advice": advice}
    for shape in _extremes([stamp.image.shape[1:] for stamp in stamps]):
        recipe = closer(recipe, found["traits"], shape)
    _write(run, summary, yours, training[kinds > 0], recipe)
    return summary


def _folder_read(run: Path, settings: dict[str, Any]) -> Path:
    """Where the images of a run were, if they still are."""
    folder = settings.get("folder", settings.get("watched"))
    if folder is None:
        raise ValueError(f"{run / 'run.json'} does not say which folder was run; give it as images")
    if not Path(folder).exists():
        raise ValueError(
            f"{folder}, which {run / 'run.json'} says was run, is not there; give the folder's "
            "new place as images"
        )
    return Path(folder)


def _scales(loader: Loader, count: int) -> Array:
    """Pixel scales of the training: of the simulated objects those of a batch share one."""
    grids = (loader.grids.draw(loader.seed, number) for number in range(count))
    return np.array([grid.pixel_scale for grid in grids])


def _stamps(table: pa.Table, folder: Path, reading: Reading, count: int) -> list[Stamp]:
    """Up to `count` of the objects of a run that it could process, as they are read."""
    good = table.filter(pc.is_null(table["reason"]))["id"].to_pylist()
    entries = find_objects(folder, reading)
    every = (item for entry in entries for item in read(entry, reading))
    known = set(good)
    stamps = (item for item in every if isinstance(item, Stamp) and item.id in known)
    found = list(islice(stamps, count))
    if not found:
        raise ValueError(
            f"none of the objects of the run is in {folder}; is that what `lensmill run` read?"
        )
    return found


def _extremes(shapes: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The shortest and the longest sides (y, x) of all."""
    y, x = zip(*shapes, strict=True)
    return [(pick(y), pick(x)) for pick in (min, max)]


def _trained_by(weights: Path) -> Recipe:
    """The recipe in the card of the network that finds lenses."""
    card = weights / "classify.json"
    if not card.is_file():
        raise ValueError(f"{weights} has no classify.json that says what it was trained on")
    found: dict[str, Any] = read_json(card)["recipe"]
    return Recipe(
        simulation=SimulationRecipe.model_validate(found["simulation"]),
        stages=found.get("stages", {}),
        together=found.get("together"),
    )


def _batches(stamps: list[Stamp], device: str) -> Iterator[Batch]:
    """Stamps of one shape at a time, in order of their shapes."""
    by_shape: dict[tuple[int, ...], list[Stamp]] = {}
    for stamp in stamps:
        by_shape.setdefault(stamp.image.shape, []).append(stamp)
    for group in by_shape.values():
        for start in range(0, len(group), BATCH):
            yield as_batch(group[start : start + BATCH], device)


def look(
    chain: Chain, batches: Iterable[Batch], seen: Callable[[int], None] = lambda count: None
) -> Looked:
    """The traits and features of every object in `batches`."""
    columns: list[dict[str, torch.Tensor]] = []
    with torch.inference_mode(), penultimate(chain.pipeline) as features:
        for batch in batches:
            columns.append(traits(chain.pipeline.predict(batch), chain.pipeline.bands))
            seen(sum(map(len, features)))
    names = columns[0]
    joined = {
        name: torch.cat([each[name].double().cpu() for each in columns]).numpy() for name in names
    }
    return Looked(joined, torch.cat(features).double().numpy())


def compare(yours: Looked, training: Looked, kinds: NDArray[Any]) -> dict[str, Any]:
    """Trait by trait against the training's non-lenses, as nearly all objects of a survey are.

    traits: percentiles of both, Kolmogorov–Smirnov distance, share outside training's range
    (`CENTRAL`). probe_auc: of the network's features; probe_auc_of_halves: of training's own two
    halves, which is what no difference looks like. strange: share of objects whose features are
    farther from all that was simulated, lenses too, than 99 % of that is.
    """
    others = training[kinds > 0]
    classes = Classes.of(training.features, kinds)
    return {
        "objects": len(yours),
        "simulated": len(training),
        "traits": {
            name: _compared(column, others.traits[name]) for name, column in yours.traits.items()
        },
        "probe_auc": vars(probe_auc(yours.features, others.features)),
        "probe_auc_of_halves": vars(probe_auc(others.features[::2], others.features[1::2])),
        "strange": classes.strange_share(yours.features),
        "strange_in_training": classes.strange_share(training.features[1::2]),
    }


def _compared(yours: Array, training: Array) -> dict[str, Any]:
    yours, training = yours.astype(np.float32), training.astype(np.float32)  # 0.2 is 0.2 in both
    low, high = np.percentile(training, CENTRAL)
    slack = 0.05 * (high - low)
    outside = (yours < low - slack) | (yours > high + slack)
    return {
        "yours": np.percentile(yours, PERCENTILES).tolist(),
        "training": np.percentile(training, PERCENTILES).tolist(),
        "distance": float(ks_2samp(yours, training).statistic),
        "outside": float(outside.mean()),
    }


def _flags(catalogue: pa.Table) -> dict[str, float]:
    """The share of the processed objects that have each flag."""
    good = catalogue.filter(pc.is_null(catalogue["reason"]))["flags"].to_pylist()
    words = [word for flags in good for word in filter(None, (flags or "").split(";"))]
    return {word: words.count(word) / len(good) for word in sorted(set(words))}


def _write(
    run: Path, summary: dict[str, Any], yours: Looked, training: Looked, recipe: Recipe
) -> None:
    """The comparison, its picture, and the recipe to fine-tune with."""
    content = json.dumps({**summary, **provenance()}, indent=1)
    (run / "domain.json").write_text(content, encoding="utf-8")
    table = {k: np.concatenate([v, training.traits[k]]) for k, v in yours.traits.items()}
    table["is_lens"] = np.repeat([1.0, 0.0], [len(yours), len(training)])
    distributions(table).save(run / "domain.png")
    comment = "The training of the weights, with seeing, pixels and stamps that hold this run's."
    (run / "finetune.toml").write_text(recipe_text(recipe, comment), encoding="utf-8")
