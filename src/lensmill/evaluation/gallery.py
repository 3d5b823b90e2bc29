"""Gallery: a card for every object of a survey run, with its five panels."""

import base64
import io
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image

from lensmill.evaluation.page import table, text

JPEG_QUALITY = 90
SORTS = {
    "p_lens": "lens probability",
    "theta_E": "Einstein radius",
    "q": "axis ratio",
    "source_snr": "S/N of the source",
    "id": "id",
}
PANELS = {
    "input": "the image as observed",
    "denoised": "the same without its noise",
    "source": "the deblended source, with a stretch of its own",
    "lens light": "denoised − source: the lens galaxy and its companions",
    "residual": "(input − denoised) in units of the local noise, bands summed; "
    "blue −5 σ, white 0, red +5 σ",
}

Row = dict[str, Any]


def legend() -> str:
    """What the five panels are."""
    items = "".join(f"<li><b>{name}</b> {meaning}</li>" for name, meaning in PANELS.items())
    return (
        f"<ol class='legend'>{items}</ol><p class='dim'>Input, denoised and lens light share one "
        "colour stretch (reddest band red, bluest blue; asinh, in units of sky noise); +y is up. "
        "Errors are 68 % intervals; φ is the mass's major axis, from +y towards −x (COOLEST).</p>"
    )


def controls() -> str:
    """Sorting and filtering; the script reads and writes them to the page's address."""
    options = "".join(f"<option value='{key}'>{name}</option>" for key, name in SORTS.items())
    return (
        "<form class='controls' id='controls' hidden>"
        f"<label>sort by <select name='sort'>{options}</select></label>"
        "<label><input type='checkbox' name='ascending'> smallest first</label>"
        "<label><span>p<sub>lens</sub> at least</span> <input type='range' "
        "name='minimum' min='0' max='1' step='0.01' value='0'> "
        "<output name='shown'>0.00</output></label>"
        "<label class='search'>filter <input type='search' name='text' "
        "placeholder='id, file or flag' autocomplete='off' spellcheck='false'></label>"
        "<output class='dim' name='count'></output></form>"
    )


def gallery(run: Path, rows: Iterable[Row]) -> str:
    """Cards of `rows`, whose pictures lie in the folder `run`."""
    cards = "".join(_card(run, row) for row in rows)
    return f"<main id='gallery' class='gallery'>{cards}</main><p id='empty' hidden>No match.</p>"


def failures(rows: Iterable[Row]) -> str:
    """The table of objects that could not be processed."""
    names = ("id", "source", "reason")
    cells = ([row.get(name) or "" for name in names] for row in rows)
    return table(("id", "file", "reason"), cells)


def number(value: Any) -> float | None:
    """A finite number, or None."""
    known = isinstance(value, int | float) and math.isfinite(value)
    return float(value) if known else None


def _card(run: Path, row: Row) -> str:
    flags = [flag for flag in str(row.get("flags") or "").split(";") if flag]
    keys = {key: row.get(key) if key == "id" else number(row.get(key)) for key in SORTS}
    data = "".join(f" data-{key}='{text(v)}'" for key, v in keys.items() if v is not None)
    words = " ".join([str(row.get("id")), str(row.get("source") or ""), *flags]).lower()
    tags = "".join(f"<li>{text(flag.replace('_', ' '))}</li>" for flag in flags)
    return (
        f"<article tabindex='0'{data} data-text='{text(words)}'>{_strip(run, row)}"
        f"<h2>{text(row.get('id'))}</h2>{_probability(row)}{_mass(row)}"
        f"<p class='where dim'>{text(_place(row))}</p>"
        f"<ul class='flags'>{tags}</ul></article>\n"
    )


def _strip(run: Path, row: Row) -> str:
    """The five panels with their names, or a line that says there is no picture."""
    data = _picture(run, row.get("picture"))
    if data is None:
        return "<p class='blank'>no picture</p>"
    names = "".join(f"<span>{name}</span>" for name in PANELS)
    source = "data:image/jpeg;base64," + base64.b64encode(data).decode()
    alt = f"five panels of {row.get('id')}"
    return (
        f"<figure><img src='{source}' alt='{text(alt)}' decoding='async'>"
        f"<figcaption>{names}</figcaption></figure>"
    )


def _picture(run: Path, name: Any) -> bytes | None:
    """The picture as a small JPEG; None where it is missing, broken or outside of the run."""
    path = (run / str(name or "")).resolve()
    if not path.is_relative_to(run.resolve()) or not path.is_file():
        return None
    try:
        with Image.open(path) as image:
            buffer = io.BytesIO()
            image.convert("RGB").save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    return buffer.getvalue()


def _probability(row: Row) -> str:
    p = number(row.get("p_lens"))
    if p is None:
        return ""
    return (
        f"<p class='probability'><meter min='0' max='1' value='{p:.4f}'></meter>"
        f"<b>{_rounded(p)}</b> <span class='dim'>p<sub>lens</sub></span></p>"
    )


def _rounded(p: float) -> str:
    """Three digits, but never 0 or 1: a network is not that sure."""
    if p > 0.9995:
        return "&gt; 0.999"
    return "&lt; 0.001" if p < 0.0005 else f"{p:.3f}"


def _mass(row: Row) -> str:
    """θ_E, q and φ with their 68 % errors, as far as they are known."""
    angle = _plain(row, "position_angle_deg", 0, "°")
    error = _plain(row, "position_angle_error_deg", 0, "°")
    parts = (
        ("θ<sub>E</sub>", _interval(row, "theta_E", "″")),
        ("q", _interval(row, "q", "")),
        ("φ", f"{angle} ± {error}" if angle and error else angle),
    )
    items = "".join(f"<span><i>{name}</i> {value}</span>" for name, value in parts if value)
    return f"<p class='mass'>{items}</p>" if items else ""


def _interval(row: Row, name: str, unit: str) -> str:
    """value, + and − to the 84 % and 16 % quantiles."""
    value, low, high = (number(row.get(f"{name}{end}")) for end in ("", "_16", "_84"))
    if value is None:
        return ""
    if low is None or high is None:
        return f"{value:.2f}{unit}"
    up, down = f"+{max(high - value, 0):.2f}", f"−{max(value - low, 0):.2f}"
    return f"{value:.2f}{unit}<span class='error'><sup>{up}</sup><sub>{down}</sub></span>"


def _plain(row: Row, name: str, digits: int, unit: str) -> str:
    value = number(row.get(name))
    return "" if value is None else f"{value:z.{digits}f}{unit}".replace("-", "−")


def _place(row: Row) -> str:
    """Right ascension and declination in degrees, and the file."""
    ra, dec = _plain(row, "ra", 5, "°"), _plain(row, "dec", 5, "°")
    return " · ".join(part for part in (f"{ra} {dec}".strip(), row.get("source")) if part)
