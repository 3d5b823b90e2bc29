"""Evaluation page: the paper's table and figures, and every figure of ours."""

import base64
import io
import math
from collections.abc import Mapping
from typing import Any

from PIL import Image

from lensmill.evaluation.figures import figure_three, figure_two
from lensmill.evaluation.files import Evaluation
from lensmill.evaluation.page import details, document, heading, table, text
from lensmill.evaluation.table_one import HEAD, UNKNOWN, table_one

CAPTIONS = {
    "figure2": "Figure 2: the first systems of the evaluation in the paper's display stretch, each "
    "picture by itself. Noiseless-ML: denoised. Deblended-ML-ML: deblended from that. "
    "Deblended-Sim-ML: deblended from the true clean image. Last row: the truth.",
    "figure3": "Figure 3: predicted against true parameters of lenses, from the true source and "
    "chained. The axes span what lenses have in training; points beyond lie on the frame.",
}
NOTE = (
    "The paper's column is of the paper's data: only an evaluation on them (recipes/compact.toml) "
    "can be held against it. PSNRs are of eight-bit pictures, means over systems. MAE: θ_E, q, φ, "
    "each scaled to [0, 1] by its range in training, lenses only. Limits: the best that the noise "
    "allows, on the systems for which it is known."
)


def drawn(evaluation: Evaluation) -> dict[str, Image.Image]:
    """The figures that an evaluation holds enough for, by name."""
    found = {}
    if evaluation.examples:
        found["figure2"] = figure_two(evaluation.examples)
    ranges = evaluation.summary.get("provenance", {}).get("target_ranges")
    if evaluation.table is not None and ranges:
        split = evaluation.summary["provenance"]["settings"]["split"]
        tables = {"train": evaluation.train, split: evaluation.table}
        known = {name: each for name, each in tables.items() if each is not None}
        found["figure3"] = figure_three(known, ranges)
    return found


def evaluation_page(name: str, evaluation: Evaluation, pictures: Mapping[str, Image.Image]) -> str:
    """The page of an evaluation called `name`, with its figures in it."""
    summary = evaluation.summary
    provenance = summary.get("provenance", {})
    body = [
        heading(name, "evaluation on simulated systems", provenance),
        "<h2>Table 1 of Madireddy et al. 2019</h2>",
        table(HEAD, table_one(summary, evaluation.table, evaluation.limits)),
        f"<p class='dim'>{text(UNKNOWN)}</p>",
        f"<p class='dim'>{NOTE}</p>",
        *(_figure_of(name, picture) for name, picture in pictures.items()),
        "<h2>All figures</h2>",
        "<p class='dim'>Errors are bootstrap standard errors; n is the number of systems. Image "
        "errors are root mean squares in units of sky noise.</p>",
        table(("figure", "value", "± error", "n"), _rows(summary)),
        details("Strata, curves and histograms", _rest(summary)),
        details("Settings and provenance", provenance),
    ]
    return document(f"{name} – lensmill", "\n".join(body))


def _figure_of(name: str, picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    source = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    caption = text(CAPTIONS[name])
    image = f"<img src='{source}' style='max-width:100%' alt='{caption}'>"
    return f"<p>{image}</p><p class='dim'>{caption}</p>"


def _rows(summary: dict[str, Any]) -> list[tuple[str, str, str, Any]]:
    return [
        (name.replace("_", " "), _value(each.get("value")), _error(each), each.get("n", ""))
        for name, each in summary.items()
        if isinstance(each, dict) and "value" in each
    ]


def _rest(summary: dict[str, Any]) -> dict[str, Any]:
    """What is no figure."""
    known = ("given", "strata", "histograms", "reliability")
    return {name: summary[name] for name in known if name in summary}


def _value(value: Any) -> str:
    return "–" if value is None else f"{value:.4g}"


def _error(figure: dict[str, Any]) -> str:
    error = figure.get("error")
    return "–" if error is None or not math.isfinite(error) else f"{error:.2g}"
