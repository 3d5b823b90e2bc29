"""Page: one HTML file that needs nothing else; all text from outside goes through `text`."""

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any


def text(value: Any) -> str:
    """`value` as harmless text, in content and in quoted attributes."""
    return escape(str(value), quote=True)


def document(title: str, body: str) -> str:
    """A whole page with our style and script; no other script runs in it, nothing is fetched."""
    style, script = _static("report.css"), _static("report.js")
    hashed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{hashed}'; base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{text(policy)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>\n{style}</style>\n</head>\n"
        f"<body>\n{body}\n<script>{script}</script>\n</body>\n</html>\n"
    )


def heading(title: str, kind: str, provenance: dict[str, Any]) -> str:
    """The page's title, and the version and time of what it shows."""
    known = (("lensmill", "lensmill"), ("commit", "commit"), ("time", ""))
    parts = [f"{label} {provenance[key]}" for key, label in known if provenance.get(key)]
    return (
        f"<header><h1>{text(title)}</h1><p class='kind'>{text(kind)}</p>"
        f"<p class='dim'>{text(' · '.join(parts))}</p></header>"
    )


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Small numbers with their names, side by side."""
    items = (f"<div><dt>{text(k)}</dt><dd>{text(v)}</dd></div>" for k, v in pairs)
    return f"<dl class='facts'>{''.join(items)}</dl>"


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A plain table."""
    top = "".join(f"<th scope='col'>{text(name)}</th>" for name in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{text(value)}</td>" for value in row) + "</tr>" for row in rows
    )
    whole = f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
    return f"<div class='scroll'>{whole}</div>"


def details(title: str, content: Any) -> str:
    """Settings, folded away."""
    listing = json.dumps(content, indent=1, ensure_ascii=False, default=str)
    return f"<details><summary>{text(title)}</summary><pre>{text(listing)}</pre></details>"


def save(path: Path, page: str) -> Path:
    """Write aside, then rename; returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".part")
    aside.write_text(page, encoding="utf-8")
    aside.replace(path)
    return path


def _static(name: str) -> str:
    return (resources.files(__package__) / "static" / name).read_text(encoding="utf-8")
