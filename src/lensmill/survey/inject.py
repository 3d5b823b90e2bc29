"""Inject: what the chain finds of simulated arcs in the user's own galaxies."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
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
from lensmill.evaluation.files import plain
from lensmill.evaluation.metrics import auroc
from lensmill.evaluation.operating import INJECTIONS
from lensmill.evaluation.selection import Bin, Edges, Share, curve, quantile_edges, surface
from lensmill.provenance import provenance
from lensmill.quantities import P_LENS
from lensmill.survey.chain import Chain, load_chain
from lensmill.survey.injection import Injected, Photometry, Sources, inject_into
from lensmill.survey.measuring import as_batch
from lensmill.survey.rows import measurements
from lensmill.survey.stamps import Reading, Stamp, count_objects, find_objects, read

ALLOWED = 0.05
"""Share of untouched galaxies that may count as lenses, where no threshold is given."""
BINS = 5
TITLES = {
    "theta_E": "completeness against theta_E / arcsec",
    "magnitude": "against the source's i magnitude",
    "log_snr": "against log10 S/N of the arcs",
    "seeing": "against the FWHM / arcsec",
}

SOURCES = Sources()
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
    threshold: float | None = None,
    seed: int = 1,
    trust: bool = False,
    device: str = "cpu",
    report: Report = lambda share, line: None,
) -> dict[str, Any]:
    """Inject arcs into up to `galaxies` objects of `folder`, each `injections` times; a summary.

    zero_point: AB magnitude of one image unit; gain: e⁻ per image unit; one number, or one per
    band. threshold: p_lens from which a lens counts as found; None: the one that `ALLOWED` of the
    untouched galaxies exceed. Writes inject.parquet (a row per injection, and one per untouched
    galaxy), inject.json (completeness, false-positive rate) and inject.png into `out`. ValueError
    where nothing can be read or the bands are not g, r, i.
    """
    reading = reading or Reading()
    if tuple(reading.bands) != sources.bands:
        raise ValueError(f"arcs have the bands {sources.bands}, not {reading.bands}")
    photometry = Photometry.of(reading.bands, zero_point, gain, reading.survey)
    chain = _finder(weights, trust, device)
    out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for number, stamp in enumerate(_galaxies(folder, reading, galaxies, report)):
        first = number * injections
        indices = torch.arange(first, first + injections)
        injected = inject_into(stamp, photometry, sources, seed, indices)
        rows += _measured(stamp, injected, chain, device)
    if not rows:
        raise ValueError(f"{folder}: none of its objects can be read; see lensmill run")
    table = pa.Table.from_pylist(rows)
    trials = Trials.of(table, threshold)
    settings = {
        "injections": injections,
        "seed": seed,
        "sources": asdict(sources),
        "photometry": asdict(photometry),
        "weights": chain.digests,
    }
    summary = {**summarise(trials), "settings": settings}
    _write(out, table, summary, trials)
    return summary


def _write(out: Path, table: pa.Table, summary: dict[str, Any], trials: "Trials") -> None:
    pq.write_table(table, out / INJECTIONS)
    (out / "inject.json").write_text(json.dumps(plain({**summary, **provenance()}), indent=1))
    picture(trials).save(out / "inject.png")


def _finder(weights: Path | None, trust: bool, device: str) -> Chain:
    """A chain that says what is a lens."""
    chain = load_chain(weights, trust)
    if not any(P_LENS in stage.writes for stage in chain.pipeline.members):
        raise ValueError("these weights find no lenses: they hold no classify")
    chain.pipeline.to(device)
    return chain


def _galaxies(folder: Path, reading: Reading, most: int, report: Report) -> Iterator[Stamp]:
    """The first objects that can be read; `report` hears of each when it is done with."""
    entries = find_objects(folder, reading)
    total = min(most, sum(map(count_objects, entries)))
    every = (item for entry in entries for item in read(entry, reading))
    stamps = islice((item for item in every if isinstance(item, Stamp)), most)
    for number, stamp in enumerate(stamps, 1):
        yield stamp
        report(number / total, f"{number} of {total} galaxies")


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


@dataclass(frozen=True)
class Trials:
    """The injections: what each is, its score, and the scores of the untouched galaxies."""

    lenses: dict[str, NDArray[np.float64]]
    galaxy: NDArray[Any]  # which each lens was put into
    score: NDArray[np.float64]
    untouched: NDArray[np.float64]
    threshold: float

    @classmethod
    def of(cls, table: pa.Table, threshold: float | None) -> "Trials":
        """From the rows of inject.parquet; without a threshold, the one of `ALLOWED`."""
        is_lens = table["is_lens"].to_numpy()
        score = table["p_lens"].to_numpy().astype(np.float64)
        names = ("theta_E", "magnitude", "snr", "seeing", "theta_E_found")
        lenses = {name: table[name].to_numpy().astype(np.float64)[is_lens] for name in names}
        lenses["log_snr"] = np.log10(np.maximum(lenses["snr"], 0.1))
        if threshold is None:
            threshold = float(np.quantile(score[~is_lens], 1 - ALLOWED))
        galaxy = table["id"].to_numpy(zero_copy_only=False)[is_lens]
        return cls(lenses, galaxy, score[is_lens], score[~is_lens], threshold)

    @property
    def found(self) -> NDArray[np.bool_]:
        """Which of the injections count as found."""
        return self.score > self.threshold

    def curve(self, name: str) -> list[Bin]:
        """The share found against what the lenses are."""
        return curve(self.found, self.lenses[name], self.edges(name), self.galaxy)

    def edges(self, name: str) -> Edges:
        """Bins of equally many."""
        return quantile_edges(self.lenses[name], BINS)


def summarise(trials: Trials) -> dict[str, Any]:
    """Completeness and false-positive rate at the threshold and at one half; completeness against
    each of `TITLES`, and how well θ_E of what is found is known."""
    lenses, found = trials.lenses, trials.found
    error = np.abs(lenses["theta_E_found"] / lenses["theta_E"] - 1)[found]
    return {
        "galaxies": len(trials.untouched),
        "injected": len(found),
        "at_threshold": _rates(trials, trials.threshold),
        "at_half": _rates(trials, 0.5),
        "auroc": auroc(
            np.concatenate([trials.score, trials.untouched]),
            np.repeat([True, False], [len(found), len(trials.untouched)]),
        ),
        "completeness_by": {name: [asdict(each) for each in trials.curve(name)] for name in TITLES},
        "theta_E_relative_error_median": float(np.median(error)) if len(error) else None,
    }


def _rates(trials: Trials, threshold: float) -> dict[str, Any]:
    return {
        "threshold": threshold,
        "completeness": asdict(Share.of_grouped(trials.score > threshold, trials.galaxy)),
        "false_positive_rate": asdict(Share.of(trials.untouched > threshold)),
    }


def picture(trials: Trials) -> Image.Image:
    """The curves of `summarise`, the untouched galaxies' rate as a line, and a surface."""
    lenses, found = trials.lenses, trials.found
    wrong = Share.of(trials.untouched > trials.threshold)
    panels = [curve_panel(title, trials.curve(name), wrong) for name, title in TITLES.items()]
    x, y = "theta_E", "magnitude"
    edges = trials.edges(x), trials.edges(y)
    title = "i magnitude against theta_E / arcsec: completeness / %"
    panels.append(surface_panel(title, surface(found, lenses[x], lenses[y], *edges), *edges))
    return sheet(panels)
