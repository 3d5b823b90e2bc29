"""Tile names: what a file of a survey's coadds shows, by the name that the survey gives it.

Sources: Euclid Q1 data products (IRSA), Legacy Surveys DR10 files, DES DR2 files, HSC PDR3 files,
default file names of Rubin's Butler.
"""

import re
from pathlib import Path

from lensmill.survey.labels import Label, file_label, match_band, stem

KINDS = {
    "": "image",
    "image": "image",
    "invvar": "weight",
    "maskbits": "mask",
    "psfsize": "fwhm",
    "rms": "rms",
    "flag": "mask",
    "psfcat": "psfex",
}
"""By the word of the survey; what other words name is not used."""

_SURVEYS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"EUC_MER_(BGSUB-)?MOSAIC-(?P<band>.+?)(-(?P<kind>RMS|FLAG))?_(?P<id>TILE\d+).*",
        r"(?P<id>EUC_MER)_(?P<kind>.+)",
        r"legacysurvey-(?P<id>\d{4}[pm]\d{3})-(?P<kind>[a-z]\w*)(-(?P<band>\w+))?",
        r"(?P<id>DES\d{4}[+-]\d{4}_\w+?)_(?P<band>[ugrizY]|det)(_(?P<kind>\w+))?",
        r"calexp-(?P<band>HSC-[A-Z])2?-(?P<id>\d+-\d+,\d+)",
    )
)
_BUTLER = re.compile(r"(?P<id>[a-z]\w*_\d+_\d+)_(?P<band>[ugrizy])_\w.*", re.IGNORECASE)


def tile_label(path: Path, bands: tuple[str, ...]) -> Label:
    """Tile, band and kind ("image", "weight", "mask", "fwhm", "psfex", "other", …) of a file."""
    match = _match(path, bands)
    return file_label(path, bands) if match is None else _label(match.groupdict(), bands)


def named_by_survey(path: Path, bands: tuple[str, ...]) -> bool:
    """Whether the name is one of a survey's own: it says of which tile, in whatever folder."""
    return _match(path, bands) is not None


def _match(path: Path, bands: tuple[str, ...]) -> re.Match[str] | None:
    patterns = _SURVEYS if file_label(path, bands).band else (*_SURVEYS, _BUTLER)
    matches = (pattern.fullmatch(stem(path)) for pattern in patterns)
    return next(filter(None, matches), None)


def _label(found: dict[str, str | None], bands: tuple[str, ...]) -> Label:
    band, word = found.get("band"), found.get("kind") or ""
    return Label(
        found["id"] or "",
        (match_band(band, bands) or band) if band else None,
        KINDS.get(word.lower(), "other"),
    )
