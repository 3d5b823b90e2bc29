"""What breaks where the sky is not as in training, by how much, and what warns of it.

    python benchmarks/shifts.py WEIGHTS RECIPE [COUNT] [--limits N] [--average] [--rows FOLDER]

The chain on COUNT systems (2000) of the recipe's test split, and on the same systems shifted (see
`shifts`). Writes benchmarks/results/shifts.json, and one row per system and shift into FOLDER
(runs/shifts). --limits: systems of each shift that also get their information limit.
"""

import argparse
import json
import math
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from lensmill.evaluation.files import read_parquet
from lensmill.evaluation.limits import distances, limits
from lensmill.evaluation.modules import Modules
from lensmill.evaluation.posterior_checks import DRAWS, uniformity_distance
from lensmill.evaluation.statistics import figure, median, share
from lensmill.evaluation.summary import BRIGHT, summarise
from lensmill.evaluation.table import Table, joined, rows
from lensmill.evaluation.targets import Ranges, target_ranges
from lensmill.provenance import file_digest, provenance
from lensmill.quantities import Batch
from lensmill.simulation.shards import FIRST_INDEX
from lensmill.stages.display import with_displays
from lensmill.stages.familiar import PARTS, UNLIKE
from lensmill.stages.posterior import PARAMETERS
from lensmill.training.build import build_survey
from lensmill.training.loader import Loader
from lensmill.training.recipe import Part, Recipe, SimulationRecipe, read_recipe

RESULTS = Path(__file__).parent / "results" / "shifts.json"
BATCH = 16
LEVELS = (50, 68, 90, 95)
MODELLED = ("theta_E", "e1", "e2")
CHOSEN = (
    "accuracy",
    "auroc",
    "mae_chained",
    "mae_circular_chained",
    "theta_E_relative_error_median",
    "theta_E_relative_bias_median",
    *(f"{name}_coverage{level}" for name in MODELLED for level in LEVELS),
    *(f"{name}_sigma_median" for name in MODELLED),
    *(f"{name}_pit_distance" for name in MODELLED),
    "tarp_distance",
    "psnr_source_db_median",
    "counter_images_kept_chained",
    "ood_median",
    "ood_flagged",
)
"""Figures of `summarise` that are kept."""

Change = Callable[[Batch], Batch]


def _as_it_is(batch: Batch) -> Batch:
    return batch


@dataclass(frozen=True)
class Shift:
    """What differs from the recipe: keys of it, what there is to see, what is said of it."""

    simulation: dict[str, Any] = field(default_factory=dict)
    population: dict[str, Any] = field(default_factory=dict)
    seen: Change = _as_it_is
    stated: Change = _as_it_is
    """Of what is seen, as the stages are told."""
    from_truth: bool = False
    """p_lens and the posterior are those of classify and regress given the true source."""

    def of(self, recipe: SimulationRecipe) -> SimulationRecipe:
        """The recipe shifted."""
        population = {**recipe.population.model_dump(), **self.population}
        keys = {**recipe.model_dump(exclude={"population"}), **self.simulation}
        return SimulationRecipe(**{**keys, "population": Part.model_validate(population)})


def shifts(recipe: SimulationRecipe) -> dict[str, Shift]:
    """All shifts of a recipe, by name.

    shear_0.05: the mean of its size. misaligned: mass against light as in lsst.toml. *_arcs_alone:
    the lens galaxy and its companions are taken away, noise is the sky's, and the heads are given
    the true source: what the arcs alone tell. stated_*: the same pixels with a wrong header.
    """
    low, high = recipe.depth or (1.0, 1.0)
    aligned, misaligned = {"ellipticity_scatter": 0.0}, {"ellipticity_scatter": 0.05}
    return {
        "as_trained": Shift(),
        "seeing_0.8": Shift({"seeing": 0.8 * recipe.seeing}),
        "seeing_1.2": Shift({"seeing": 1.2 * recipe.seeing}),
        "depth_0.3": Shift({"depth": (0.3 * low, 0.3 * high)}),
        "slope_1.9": Shift(population={"slope": 1.9}),
        "slope_2.1": Shift(population={"slope": 2.1}),
        "shear_0.05": Shift(population={"shear_scatter": 0.05 / math.sqrt(math.pi / 2)}),
        "clumpy_sources": Shift(population={"clumps": 3}),
        "stated_seeing_0.8": Shift(stated=lambda batch: _scaled(batch, "psf_fwhm", 0.8)),
        "stated_noise_0.8": Shift(stated=lambda batch: _scaled(batch, "sky_sigma", 0.8)),
        "aligned": Shift(population=aligned),
        "misaligned": Shift(population=misaligned),
        "aligned_arcs_alone": Shift(population=aligned, seen=arcs_alone, from_truth=True),
        "misaligned_arcs_alone": Shift(population=misaligned, seen=arcs_alone, from_truth=True),
    }


def _scaled(batch: Batch, name: str, factor: float) -> Batch:
    return {**batch, name: factor * batch[name]}


def arcs_alone(batch: Batch) -> Batch:
    """The source with the sky's noise, in the place of everything else."""
    sky, clean = batch["sky_sigma"][..., None, None], batch["clean"]
    white = (batch["noisy"] - clean) / (sky.square() + clean.clamp(min=0)).sqrt()
    return {**batch, "noisy": batch["source"] + sky * white, "clean": batch["source"]}


def measured(
    modules: Modules, recipe: SimulationRecipe, shift: Shift, count: int, device: str
) -> Table:
    """A row for each of `count` systems."""
    shifted = shift.of(recipe)
    loader, survey = Loader.of(shifted, BATCH, "test", device), build_survey(shifted)
    parts = []
    for step in range(math.ceil(count / BATCH)):
        truth = with_displays(shift.seen(loader(step, device)))
        predicted = modules.predict(shift.stated(truth))
        if shift.from_truth:
            heads = {k: v for k, v in predicted["from_truth"].items() if k != "source"}
            predicted["chained"] = {**predicted["chained"], **heads}
        first = FIRST_INDEX["test"] + step * BATCH
        index = torch.arange(first, first + BATCH)
        on_cpu = {way: _on_cpu(batch) for way, batch in predicted.items()}
        parts.append(rows(index, _on_cpu(truth), on_cpu, 0, survey))
    return {name: column[:count] for name, column in joined(parts).items()}


def _on_cpu(batch: Batch) -> Batch:
    return {name: value.cpu() for name, value in batch.items()}


def figures(table: Table, ranges: Ranges, best: Table | None) -> dict[str, Any]:
    """{value, error, n} of everything that is kept of a shift."""
    summary = summarise(table, ranges)
    lens = table["is_lens"]
    ranks = {name: (table[f"{name}_rank"][lens] + 0.5) / (DRAWS + 1) for name in PARAMETERS}
    found = {
        f"{name.removeprefix('ln_')}_rank_distance": figure(uniformity_distance, rank)
        for name, rank in ranks.items()
    }
    if "ood_chained" in table:
        for part in PARTS:
            found[f"ood_flagged_by_{part}"] = figure(share, table[f"ood_{part}_chained"] > UNLIKE)
    if best is not None:
        found["sigma_over_limit_theta_E_snr20"] = _over_limit(table, best)
    return {
        **{name: summary[name] for name in CHOSEN if name in summary},
        **{name: asdict(each) for name, each in found.items()},
    }


def _over_limit(table: Table, best: Table) -> Any:
    far = distances(table, best)
    bright = far["is_lens"].astype(bool) & (far["source_snr"] > BRIGHT)
    return figure(median, far["sigma_ln_theta_E_over_limit"][bright])


def best_possible(recipe: Recipe, shift: Shift, count: int) -> Table | None:
    """The limits of the first systems of a shift; none where what is seen is not what is there."""
    if count == 0 or shift.seen is not _as_it_is or shift.stated is not _as_it_is:
        return None
    shifted = recipe.model_copy(update={"simulation": shift.of(recipe.simulation)})
    with tempfile.TemporaryDirectory() as folder:
        limits(shifted, Path(folder), count=count)
        table = read_parquet(Path(folder) / "limits.parquet")
    return {name: table[name].to_numpy() for name in table.column_names}


COLUMNS = {
    "accuracy": "accuracy",
    "auroc": "AUROC",
    "mae_chained": "MAE",
    "theta_E_coverage68": "68% θ_E",
    "e1_coverage68": "68% e1",
    "e2_coverage68": "68% e2",
    "tarp_distance": "TARP",
    "theta_E_sigma_median": "σ θ_E",
    "e1_sigma_median": "σ e1",
    "ood_median": "ood",
    "ood_flagged": "flagged",
    **{f"ood_flagged_by_{part}": part for part in PARTS},
}


def line(name: str, found: dict[str, Any]) -> str:
    """A row of the printed table."""
    values = (found.get(key, {}).get("value", math.nan) for key in COLUMNS)
    return f"{name:22s}" + "".join(f"{value:10.3f}" for value in values)


def main() -> None:
    """Measure, print and write."""
    options = _options()
    recipe = read_recipe(options.recipe)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    modules = Modules.load(options.weights, device, options.average)
    loader = Loader.of(recipe.simulation, BATCH, "test", device)
    ranges = target_ranges(loader.simulator, loader.seed)
    command = f"benchmarks/shifts.py WEIGHTS {options.recipe} {options.count}"
    command += f" --limits {options.limits}" * (options.limits > 0) + " --average" * options.average
    digests = {n: file_digest(options.weights / f"{n}.safetensors") for n in modules.files}
    made_by = provenance(command=command, weights=digests, count=options.count)
    options.rows.mkdir(parents=True, exist_ok=True)
    print(f"{'':22s}" + "".join(f"{name:>10s}" for name in COLUMNS.values()))
    found: dict[str, Any] = {}
    for name, shift in shifts(recipe.simulation).items():
        if options.only and name not in options.only:
            continue
        table = measured(modules, recipe.simulation, shift, options.count, device)
        pq.write_table(pa.table(dict(table)), options.rows / f"{name}.parquet")
        found[name] = figures(table, ranges, best_possible(recipe, shift, options.limits))
        print(line(name, found[name]), flush=True)
    options.out.write_text(json.dumps({"shifts": found, **made_by}, indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("count", type=int, nargs="?", default=2000)
    parser.add_argument("--limits", type=int, default=0)
    parser.add_argument("--average", action="store_true")
    parser.add_argument("--rows", type=Path, default=Path("runs/shifts"))
    parser.add_argument("--only", nargs="*", help="names of shifts; all unless given")
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
