"""Sidecars: `<name>.json` or `<name>.toml` beside an array file says what its axes mean."""

import json
import tomllib
from pathlib import Path
from typing import Any

from lensmill.survey.labels import stem
from lensmill.survey.reading import StampError

KEYS = ("bands", "pixel_scale", "psf_fwhm", "sky_sigma", "ids")
SUFFIXES = (".json", ".toml")


def sidecar_path(file: Path) -> Path | None:
    """The sidecar of `file`, if there is one."""
    beside = (file.with_name(stem(file) + suffix) for suffix in SUFFIXES)
    return next((path for path in beside if path.is_file()), None)


def read_sidecar(file: Path) -> dict[str, Any]:
    """Keys and values of the sidecar of `file`; StampError "bad_sidecar" names file and key."""
    path = sidecar_path(file)
    if path is None:
        return {}
    values = _parsed(path)
    if unknown := [key for key in values if key not in KEYS]:
        raise StampError(
            "bad_sidecar", f"{path.name}: no key {unknown[0]!r}; choices: {', '.join(KEYS)}"
        )
    return values


def _parsed(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        values = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except ValueError as error:
        raise StampError("bad_sidecar", f"{path.name}: {error}") from None
    if not isinstance(values, dict):
        raise StampError("bad_sidecar", f"{path.name}: a table of keys is needed")
    return values
