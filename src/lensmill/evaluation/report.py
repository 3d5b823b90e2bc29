"""Report: the page of a survey run or of an evaluation, one file that needs nothing else."""

from pathlib import Path
from typing import Any

import numpy as np

from lensmill.evaluation.evaluation_page import drawn, evaluation_page
from lensmill.evaluation.excerpt import Excerpt, read_excerpt
from lensmill.evaluation.files import EVALUATION, Evaluation, read_json
from lensmill.evaluation.gallery import controls, failures, gallery, legend
from lensmill.evaluation.page import details, document, facts, heading, save, text
from lensmill.evaluation.table_one import UNKNOWN, aligned, table_one

CATALOGUE = "catalogue.parquet"
LIKELY = 0.5
"""p_lens above which the summary counts an object as a likely lens."""


def report(run: Path, out: Path | None = None, limit: int = 500) -> Path:
    """Write the page of the folder `run`; returns its path (`run`/report.html by default).

    Of a survey run, the `limit` objects likeliest to be lenses are shown. Of an evaluation,
    figure2.png and figure3.png are written beside the page; where `run` holds an evaluation of the
    training split in its folder train, Figure 3 shows that too. ValueError where `run` holds
    neither a catalogue nor an evaluation.
    """
    out = run / "report.html" if out is None else out
    if (run / EVALUATION).is_file():
        return _evaluation(run, out)
    if (run / CATALOGUE).is_file():
        return save(out, _run_page(run, limit))
    raise ValueError(f"{run} holds no {CATALOGUE} of a run and no {EVALUATION} of an evaluation")


def table_one_of(run: Path) -> str:
    """The paper's Table 1 with ours beside it, as lines; empty where `run` is no evaluation."""
    if not (run / EVALUATION).is_file():
        return ""
    evaluation = Evaluation.read(run)
    rows = table_one(evaluation.summary, evaluation.table, evaluation.limits)
    return f"{aligned(rows)}\n{UNKNOWN}"


def _evaluation(run: Path, out: Path) -> Path:
    evaluation = Evaluation.read(run)
    pictures = drawn(evaluation)
    page = save(out, evaluation_page(run.resolve().name, evaluation, pictures))
    for name, picture in pictures.items():
        picture.save(out.with_name(f"{name}.png"))
    return page


def _run_page(run: Path, limit: int) -> str:
    settings = read_json(run / "run.json") if (run / "run.json").is_file() else {}
    excerpt = read_excerpt(run / CATALOGUE, limit)
    shown = excerpt.good.to_pylist()
    name = run.resolve().name
    body = [
        heading(name, "survey run", settings),
        facts(_run_facts(excerpt, settings)),
        legend(),
        controls() if shown else "",
        _note(len(shown), excerpt.processed),
        gallery(run, shown),
        _failed_section(excerpt),
        details("Settings and provenance", settings),
    ]
    return document(f"{name} – lensmill", "\n".join(body))


def _run_facts(excerpt: Excerpt, settings: dict[str, Any]) -> list[tuple[str, str]]:
    p = excerpt.p_lens
    pairs = [
        ("objects", f"{excerpt.processed + excerpt.failures:,}"),
        ("failed", f"{excerpt.failures:,}"),
    ]
    if len(p):
        likely = int((p > LIKELY).sum())
        pairs += [("median p_lens", f"{np.median(p):.3f}"), (f"p_lens > {LIKELY}", f"{likely:,}")]
    weights = settings.get("weights_digest") or settings.get("weights")
    return pairs + ([("weights", _weights(weights))] if weights else [])


def _weights(weights: Any) -> str:
    if isinstance(weights, dict):
        return ", ".join(f"{name} {str(digest)[:8]}" for name, digest in weights.items())
    return str(weights)


def _note(shown: int, total: int) -> str:
    if shown == total:
        return ""
    return (
        f"<p class='dim'>Here are the {shown:,} likeliest lenses of {total:,} objects; all are in "
        f"{CATALOGUE}.</p>"
    )


def _failed_section(excerpt: Excerpt) -> str:
    """Reasons with their counts, and the objects."""
    if not excerpt.failures:
        return ""
    most = excerpt.reasons.most_common()
    reasons = "".join(f"<li>{count:,} × {text(reason)}</li>" for reason, count in most)
    return (
        f"<section><h2>Failed: {excerpt.failures:,}</h2><ul class='reasons'>{reasons}</ul>"
        f"{failures(excerpt.failed.to_pylist())}</section>"
    )
