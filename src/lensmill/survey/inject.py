"""Inject: what the chain finds of simulated arcs in the user's own galaxies."""

import json
from collections.abc import Callable
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from PIL import Image

from lensmill.evaluation.curves import curve_panel, sheet, surface_panel
from lensmill.evaluation.operating import INJECTIONS
from lensmill.evaluation.selection import Share, curve, quantile_edges, surface
from lensmill.provenance import provenance
from lensmill.survey.chain import Chain, load_chain
from lensmill.survey.injection import Injected, Photometry, Sources, inject_into
from lensmill.survey.rows import measurements
from lensmill.survey.run import as_batch
from lensmill.survey.stamps import Reading, Stamp, find_objects, read

BINS = 5
TITLES = {
    "theta_E": "completeness against theta_E / arcsec",
    "magnitude": "against the source's i magnitude",
    "log_snr": "against log10 S/N of the arcs",
    "seeing": "against the FWHM / arcsec",
}

SOURCES = Sources()

Columns = dict[str, NDArray[Any]]
Report = Callable[[float, str], None]


def inject(
    folder: Path,
    out: Path,
    *,
    zero_point: tuple[float, ...],
    gain: tuple[float, ...] | None = None,
    reading: Reading | None = None,
    weights: Path | None = None,
    sources: Sources = SOURCES,
    galaxies: int = 500,
    injections: int = 8,
    threshold: float = 0.5,
    seed: int = 1,
    trust: bool = False,
    device: str = "cpu",
    report: Report = lambda share, line: None,
) -> dict[str, Any]:
    """Inject arcs into up to `galaxies` objects of `folder`, each `injections` times; a summary.

    zero_point: AB magnitude of one image unit; gain: e⁻ per image unit; one number, or one per
    band. threshold: p_lens from which a lens counts as found. Writes inject.parquet (a row per
    injection, and one per untouched galaxy), inject.json (completeness, false-positive rate) and
    inject.png into `out`. ValueError where nothing can be read or the bands are not g, r, i.
    """
    reading = reading or Reading()
    if tuple(reading.bands) != sources.bands:
        raise ValueError(f"arcs have the bands {sources.bands}, not {reading.bands}")
    photometry = Photometry.of(reading.bands, zero_point, gain, reading.survey)
    chain = load_chain(weights, trust)
    chain.pipeline.to(device)
    entries = find_objects(folder, reading)
    every = (item for entry in entries for item in read(entry, reading))
    stamps = islice((item for item in every if isinstance(item, Stamp)), galaxies)
    rows: list[dict[str, Any]] = []
    for number, stamp in enumerate(stamps):
        first = number * injections
        indices = torch.arange(first, first + injections)
        injected = inject_into(stamp, photometry, sources, seed, indices)
        rows += _measured(stamp, injected, chain, device)
        report((number + 1) / galaxies, f"{number + 1} galaxies")
    if not rows:
        raise ValueError(f"{folder}: none of its objects can be read; see lensmill run")
    table = pa.Table.from_pylist(rows)
    settings = {
        "threshold": threshold,
        "injections": injections,
        "seed": seed,
        "sources": asdict(sources),
        "photometry": asdict(photometry),
        "weights": chain.digests,
    }
    summary = {**summarise(table, threshold), "settings": settings}
    out.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, out / INJECTIONS)
    (out / "inject.json").write_text(json.dumps({**summary, **provenance()}, indent=1))
    picture(table, threshold).save(out / "inject.png")
    return summary


def _measured(stamp: Stamp, injected: Injected, chain: Chain, device: str) -> list[dict[str, Any]]:
    """Rows of one galaxy: untouched, then with arcs."""
    images = torch.cat([torch.from_numpy(stamp.image)[None], injected.image])
    batch = {**as_batch([stamp] * len(images), device), "noisy": images.to(device)}
    with torch.inference_mode():
        values = measurements(chain.pipeline.predict(batch))
    same = {"id": stamp.id, "seeing": float(stamp.psf_fwhm.mean())}
    truth = [
        {"is_lens": True, "theta_E": theta_E, "magnitude": magnitude, "snr": snr}
        for theta_E, magnitude, snr in zip(
            injected.theta_E.tolist(),
            injected.magnitude.tolist(),
            injected.snr.tolist(),
            strict=True,
        )
    ]
    nothing = {"is_lens": False, "theta_E": None, "magnitude": None, "snr": None}
    return [
        {**same, **true, **_found(value)}
        for true, value in zip([nothing, *truth], values, strict=True)
    ]


def _found(value: dict[str, float]) -> dict[str, float | None]:
    names = {"p_lens": "p_lens", "theta_E": "theta_E_found"}
    names |= {f"theta_E_{level}": f"theta_E_{level}" for level in (16, 84)}
    return {to: value.get(name) for name, to in names.items()}


def columns(table: pa.Table, threshold: float) -> tuple[Columns, NDArray[np.bool_], Share]:
    """Of the injections: what they are, and which are found; and the false-positive rate."""
    is_lens, score = (table[name].to_numpy() for name in ("is_lens", "p_lens"))
    names = ("theta_E", "magnitude", "snr", "seeing", "theta_E_found")
    lenses = {name: table[name].to_numpy().astype(np.float64)[is_lens] for name in names}
    lenses["log_snr"] = np.log10(np.maximum(lenses["snr"], 0.1))
    return lenses, score[is_lens] >= threshold, Share.of(score[~is_lens] >= threshold)


def _edges(lenses: Columns) -> dict[str, tuple[float, ...]]:
    return {name: quantile_edges(lenses[name], BINS) for name in TITLES}


def summarise(table: pa.Table, threshold: float) -> dict[str, Any]:
    """Completeness against each of `TITLES`, and how well θ_E of what is found is known."""
    lenses, found, false_positives = columns(table, threshold)
    error = np.abs(lenses["theta_E_found"] / lenses["theta_E"] - 1)[found]
    return {
        "galaxies": int((~table["is_lens"].to_numpy()).sum()),
        "injected": len(found),
        "completeness": asdict(Share.of(found)),
        "false_positive_rate": asdict(false_positives),
        "completeness_by": {
            name: [asdict(each) for each in curve(found, lenses[name], edges)]
            for name, edges in _edges(lenses).items()
        },
        "theta_E_relative_error_median": float(np.median(error)) if len(error) else None,
    }


def picture(table: pa.Table, threshold: float) -> Image.Image:
    """The curves of `summarise`, the untouched galaxies' rate as a line, and a surface."""
    lenses, found, false_positives = columns(table, threshold)
    edges = _edges(lenses)
    panels = [
        curve_panel(title, curve(found, lenses[name], edges[name]), false_positives)
        for name, title in TITLES.items()
    ]
    pair = (lenses["theta_E"], lenses["magnitude"], edges["theta_E"], edges["magnitude"])
    cells = surface(found, *pair)
    title = "i magnitude against theta_E / arcsec: completeness / %"
    return sheet([*panels, surface_panel(title, cells, *pair[2:])])
