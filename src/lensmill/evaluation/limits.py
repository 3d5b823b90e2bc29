"""Limits: the best that any method can do with each simulated image, a row for each and a summary.

Everything but the parameters counts as known: that it is a lens or none, which galaxies shine,
Sérsic indices, the PSF, the sky. Impostors have no row, and bad pixels are not counted as lost.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from jaxtyping import Float
from torch import Tensor

from lensmill.evaluation.information import Bound, Telescope, jacobian
from lensmill.evaluation.metrics import error_rms, linear_psnr
from lensmill.evaluation.parameters import MASS, Ensemble, Prior, in_double
from lensmill.evaluation.statistics import Figure, figure
from lensmill.evaluation.summary import SNR_EDGES
from lensmill.evaluation.table import Column, Table, shared
from lensmill.physics.display import BANDS, calibrated, display_psnr
from lensmill.provenance import provenance
from lensmill.quantities import Batch
from lensmill.simulation.counter import normal
from lensmill.simulation.scene import Scene, selected
from lensmill.simulation.shards import FIRST_INDEX, Split
from lensmill.simulation.simulator import Simulator
from lensmill.training.build import build_grids, build_simulator
from lensmill.training.recipe import Recipe

STREAM = 30
PICTURES = 8
"""Images drawn from what is left uncertain, for their mean PSNR: an expected error has less."""
PLAIN = 3
"""Kinds of scenes before the first impostor."""
MODELLED = MASS[:3]

Report = Callable[[float, str], None]
"""(share done, a line to show)."""


def limits(
    recipe: Recipe,
    out: Path,
    *,
    count: int = 200,
    batch: int = 16,
    split: Split = "test",
    draws: int = 4096,
    report: Report = lambda share, line: None,
) -> dict[str, Any]:
    """The limits of `count` systems of `split`, those of `evaluate`; returns the summary.

    Writes limits.parquet (see `row` for the columns) and limits.json into `out`. batch: as in
    `evaluate`, for a batch draws its grid. draws: scenes of the training split from which the
    prior is taken; systems of a kind too rare among them have no row.
    """
    out.mkdir(parents=True, exist_ok=True)
    simulation = recipe.simulation
    simulator = build_simulator(simulation)
    ensemble = Ensemble.of(simulator.population, simulation.seed, torch.arange(draws))
    rows: list[dict[str, Any]] = []
    for first in range(0, count, batch):
        grid = build_grids(simulation).draw(simulation.seed, FIRST_INDEX[split] + first // batch)
        indices = FIRST_INDEX[split] + torch.arange(first, min(first + batch, count))
        rows += _rows(simulator.on(grid), simulation.seed, indices, ensemble)
        report(min(first + batch, count) / count, f"{min(first + batch, count)} of {count} systems")
    table = {name: np.array([row[name] for row in rows]) for name in (rows[0] if rows else ())}
    settings = {"count": count, "split": split, "batch": batch, "draws": draws}
    recipes = simulation.model_dump(mode="json")
    summary = {**summarise(table), "provenance": provenance(recipe=recipes, settings=settings)}
    _write(out, table, summary)
    return summary


def _rows(
    simulator: Simulator, seed: int, indices: Tensor, ensemble: Ensemble
) -> Iterator[dict[str, Any]]:
    """A row for each of the scenes `indices` that has a limit."""
    scenes, conditions = simulator.draw(seed, indices)
    truth = simulator.image(scenes, conditions, seed, indices)
    for number, index in enumerate(indices):
        chosen = torch.tensor([number])
        scene = in_double(selected(scenes, chosen))
        prior = ensemble.prior(scene) if int(scene.kind) < PLAIN else None
        if prior is not None:
            seen = in_double(selected(conditions, chosen))
            telescope = Telescope(seen, simulator.grid, simulator.fineness)
            own = {name: value[chosen] for name, value in truth.items()}
            noise = normal(seed, index[None], STREAM, PICTURES * prior.root.shape[1])
            yield {"index": int(index), **row(scene, telescope, prior, own, noise)}


def row(
    scene: Scene, telescope: Telescope, prior: Prior, truth: Batch, noise: Float[Tensor, "1 _"]
) -> dict[str, Any]:
    """The limits of one system; `noise`: standard normals, for the images drawn.

    sigma_*_limit: least standard deviation of ln θ_E, e1, e2; NaN of what is no lens.
    clean_error_limit, source_error_limit: least expected rms error of the denoised image and of the
    source, in sky sigmas. psnr_*_limit: mean linear PSNR, dB, of `PICTURES` images of that
    uncertainty; display_psnr_*_limit: of their pictures (three bands only).
    """
    clean, source = telescope.images(scene)
    bound = Bound.of(jacobian(scene, telescope, prior.free), telescope.variance(clean), prior)
    known = {name: float("nan") for name in MODELLED}
    if scene.is_lens.all():
        known |= _sigmas(bound, prior)
    drawn = noise.view(PICTURES, -1).double()
    return {
        "is_lens": bool(scene.is_lens),
        "kind": int(scene.kind),
        "source_snr": float(truth["source_snr"]),
        **{f"sigma_{name}_limit": value for name, value in known.items()},
        **image_limits("clean", ("denoised", "denoised"), clean, bound.clean, truth, drawn),
        **image_limits("source", ("source", "source_chained"), source, bound.source, truth, drawn),
    }


def _sigmas(bound: Bound, prior: Prior) -> dict[str, float]:
    sigma = dict(zip(prior.free.tolist(), bound.sigma()[0].tolist(), strict=True))
    return {name: sigma.get(MASS.index(name), 0.0) for name in MODELLED}


def image_limits(
    name: str,
    chain: tuple[str, str],
    image: Float[Tensor, "1 band y x"],
    root: Float[Tensor, "1 direction band y x"],
    truth: Batch,
    noise: Float[Tensor, "k direction"],
) -> dict[str, float]:
    """Least expected error, and mean PSNRs of images drawn about the truth with that covariance.

    chain: what its linear PSNR and its display PSNR are called in an evaluation.
    """
    sky = truth["sky_sigma"]
    drawn = image + torch.einsum("kd,dbyx->kbyx", noise, root[0])
    psnr = linear_psnr(drawn, image.expand_as(drawn), sky.expand(PICTURES, -1))
    columns = {
        f"{name}_error_limit": float(error_rms(image + root.square().sum(1).sqrt(), image, sky)),
        f"psnr_{chain[0]}_limit": float(psnr.mean()),
    }
    if image.shape[1] != BANDS:
        return columns
    return columns | {f"display_psnr_{chain[1]}_limit": _picture(drawn, image, truth)}


def _picture(drawn: Float[Tensor, "k band y x"], image: Tensor, truth: Batch) -> float:
    """Mean display PSNR of images about `image`."""
    zero_point = truth["zero_point"].double()
    noisy = calibrated(truth["noisy"].double(), zero_point).expand_as(drawn)
    expected = calibrated(image, zero_point).expand_as(drawn)
    return float(
        display_psnr(calibrated(drawn, zero_point.expand(PICTURES, -1)), expected, noisy).mean()
    )


def summarise(table: Table) -> dict[str, Any]:
    """Median and mean over systems of every limit, {value, error, n}: of all, and of each stratum.

    Of systems that have it, where it is finite (a sky without source is known perfectly); figures
    of no system are left out.
    """
    if not table:
        return {"strata": {}}
    snr = table["source_snr"]
    strata = {
        f"{low:g}-{high:g}": _figures(table, (low <= snr) & (snr < high))
        for low, high in pairwise(SNR_EDGES)
    }
    return {**_figures(table, np.isfinite(snr)), "strata": strata}


def _figures(table: Table, chosen: Column) -> dict[str, dict[str, Any]]:
    found: dict[str, Figure] = {}
    for name in (name for name in table if name.endswith("_limit")):
        column = table[name][chosen]
        column = column[np.isfinite(column)]
        if len(column):
            found[f"{name}_median"] = figure(lambda values: float(np.median(values)), column)
            found[f"{name}_mean"] = figure(lambda values: float(values.mean()), column)
    return {name: asdict(each) for name, each in found.items()}


def distances(evaluation: Table, limits: Table) -> dict[str, Column]:
    """How far a chain is from the limit: a row for each system that both tables have.

    *_db_to_limit: dB that are missing. source_error_over_limit: rms over the least. Of lenses,
    sigma_ln_theta_E_over_limit: half of the 68 % interval over the least standard deviation;
    *_miss_over_limit: |predicted − true| over it, whose median is 0.674 at the limit.
    """
    chain, best = shared(evaluation, limits)
    gaps = [name.removesuffix("_limit") for name in best if "psnr" in name]
    with np.errstate(all="ignore"):  # a non-lens has no θ_E, a sky without source no error
        miss = {name: np.abs(chain[f"{name}_predicted"] - chain[name]) for name in ("e1", "e2")}
        miss["ln_theta_E"] = np.abs(np.log(chain["theta_E_50"] / chain["theta_E"]))
        width = 0.5 * np.log(chain["theta_E_84"] / chain["theta_E_16"])
        return {
            "index": best["index"],
            **{name: best[name] for name in ("is_lens", "kind", "source_snr")},
            **{f"{name}_db_to_limit": best[f"{name}_limit"] - chain[name] for name in gaps},
            "source_error_over_limit": chain["source_error_chained"] / best["source_error_limit"],
            "sigma_ln_theta_E_over_limit": width / best["sigma_ln_theta_E_limit"],
            **{
                f"{name}_miss_over_limit": miss[name] / best[f"sigma_{name}_limit"]
                for name in MODELLED
            },
        }


def _write(out: Path, table: Table, summary: dict[str, Any]) -> None:
    """Both files aside, then renamed: what is there is whole."""
    aside = out / "limits.part"
    pq.write_table(pa.table(dict(table)), aside)
    aside.replace(out / "limits.parquet")
    aside.write_text(json.dumps(summary, indent=1), encoding="utf-8")
    aside.replace(out / "limits.json")
