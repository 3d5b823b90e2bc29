"""Labels: what a file name, an EXTNAME or a header says about the band and kind of an image."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FITS_SUFFIXES = (".fits", ".fit", ".fits.gz", ".fit.gz", ".fits.fz")
ARRAY_SUFFIXES = (".h5", ".hdf5", ".npy", ".npz")

COMMON_BANDS = ("u", "g", "r", "i", "z", "y")
"""Recognised in file names even where they are not asked for."""

KINDS = {
    "image": ("sci", "science", "img", "image", "data"),
    "variance": ("var", "variance"),
    "rms": ("rms", "sigma", "err", "error"),
    "weight": ("wht", "wgt", "weight", "invvar", "ivar"),
    "psf": ("psf",),
    "mask": ("mask", "msk", "dq", "flag", "flags"),
    "other": ("bkg", "seg"),
}
KIND_OF_WORD = {word: kind for kind, words in KINDS.items() for word in words}

_GENERIC = ("primary", "compressed")
_SEPARATOR = r"[_.\-]"
_HSC_CUTOUT = re.compile(
    r"(?P<id>(?:\d+-)?cutout)-(?P<band>HSC-[A-Z]2?)-(?P<rest>.+)", re.IGNORECASE
)
"""What HSC's cut-out service calls a file."""
_PSF_ANYWHERE = re.compile(
    rf"(.*?){_SEPARATOR}?(?<![a-z])psf(?![a-z]){_SEPARATOR}?(.*)", re.IGNORECASE
)


@dataclass(frozen=True)
class Label:
    """What a name says: the object, the band if any, and the kind of image."""

    id: str
    band: str | None
    kind: str


def stem(path: Path) -> str:
    """File name without `.fits.gz` and the like."""
    for suffix in sorted(FITS_SUFFIXES + ARRAY_SUFFIXES, key=len, reverse=True):
        if path.name.lower().endswith(suffix):
            return path.name[: -len(suffix)]
    return path.stem


def match_band(text: str, bands: tuple[str, ...]) -> str | None:
    """The one of `bands` that `text` names ("HSC-G", "i DECam SDSS"); a common one if bare."""
    whole = text.strip().lower()
    words = re.split(r"[^a-z0-9]+", whole)
    asked = {band.lower(): band for band in bands}
    # HSC-R2 and HSC-I2 are the filters that replaced HSC-R and HSC-I
    last = words[-1].removesuffix("2") if words[0] == "hsc" else words[-1]
    named = (whole, "_".join(words), words[0], words[-1], last)
    names = (asked[name] for name in named if name in asked)
    return next(names, whole if whole in COMMON_BANDS else None)


def file_label(path: Path, bands: tuple[str, ...]) -> Label:
    """Label of `<id>_<band>_<kind>`, `<id>_<band>`, `<id>_<kind>`, `<band>` or `<id>`."""
    name = stem(path)
    if match := _HSC_CUTOUT.fullmatch(name):
        band = match_band(match["band"], bands) or match["band"]
        return Label(f"{match['id']}-{match['rest']}", band, "image")
    if match := _banded_name(bands).fullmatch(name):
        word = match["before"] or match["after"] or "sci"
        band = match_band(match["band"], bands)
        return Label(match["id"] or "", band, KIND_OF_WORD[word.lower()])
    if match := _companion_name().fullmatch(name):
        return Label(match["id"], None, KIND_OF_WORD[match["kind"].lower()])
    if match := _PSF_ANYWHERE.fullmatch(name):
        return Label("_".join(filter(None, match.groups())), None, "psf")
    return Label(name, None, "image")


@cache
def _banded_name(bands: tuple[str, ...]) -> re.Pattern[str]:
    kinds = "|".join(KIND_OF_WORD)
    names = sorted({*bands, *COMMON_BANDS}, key=len, reverse=True)
    band = "|".join(map(re.escape, names))
    sep = _SEPARATOR
    return re.compile(
        rf"(?:(?P<id>.+?){sep})??(?:(?P<before>{kinds}){sep})?"
        rf"(?P<band>{band})(?:{sep}(?P<after>{kinds}))?",
        re.IGNORECASE,
    )


@cache
def _companion_name() -> re.Pattern[str]:
    return re.compile(rf"(?P<id>.+?){_SEPARATOR}(?P<kind>{'|'.join(KIND_OF_WORD)})", re.IGNORECASE)


def extname_label(extname: str, bands: tuple[str, ...]) -> Label:
    """Label of an EXTNAME such as `VIS_sci`, `NIR_Y_RMS`, `g`, `VARIANCE` or none at all.

    A word that is no kind is taken for a band's name: the bands of the file are listed to the
    user when those asked for are not among them.
    """
    words = re.split(r"[_.\-\s]+", extname.strip())
    kinds = [KIND_OF_WORD[word.lower()] for word in words if word.lower() in KIND_OF_WORD]
    rest = [word for word in words if _names_something(word)]
    text = "_".join(rest)
    band = match_band(text, bands) or text or None
    return Label("", band, kinds[-1] if kinds else "image")


def _names_something(word: str) -> bool:
    lower = word.lower()
    return bool(word) and not (lower in KIND_OF_WORD or lower in _GENERIC or word.isdigit())


def header_bands(header: Mapping[str, Any], count: int, bands: tuple[str, ...]) -> list[str | None]:
    """Names of the `count` planes of an HDU by BAND0, BAND1, … or by BANDS, BAND or FILTER."""
    numbered = [header.get(f"BAND{plane}") for plane in range(count)]
    if all(isinstance(name, str) for name in numbered):
        return [_band_or_text(str(name), bands) for name in numbered]
    for key in ("BANDS", "BAND", "FILTER"):
        if isinstance(text := header.get(key), str) and text.strip():
            names = [text] if count == 1 else split_bands(text, count)
            return [_band_or_text(name, bands) for name in names] or [None] * count
    return [None] * count


def _band_or_text(name: str, bands: tuple[str, ...]) -> str:
    return match_band(name, bands) or name.strip()


def split_bands(text: str, count: int) -> list[str]:
    """`count` names from "grz", "g,r,z" or "g r z"; none where they are not `count`."""
    names = [name for name in re.split(r"[\s,;]+", text.strip()) if name]
    if len(names) == 1 and len(names[0]) == count:
        names = list(names[0])
    return names if len(names) == count else []
