"""Masks: which bits of a survey's mask mean that a pixel cannot be used."""

from lensmill.survey.planes import Plane
from lensmill.survey.reading import Reading

RUBIN = ("BAD", "NO_DATA", "SAT", "UNMASKEDNAN")
"""Mask planes by name, of Rubin and HSC: what is interpolated or detected is good."""

LEGACY = {
    "g": (2, 5),
    "r": (3, 6),
    "i": (14, 15),
    "z": (4, 7),
}
"""SATUR and ALLMASK of maskbits (Legacy Surveys DR10)."""

ANY = -1


def unusable_bits(mask: Plane, band: str, reading: Reading) -> int | None:
    """The bits, as one number, of unusable pixels of `band`; None where nothing says which.

    Those that the user gives; else by name from MP_… in the header (Rubin, HSC); else those that
    the survey documents: some of `legacysurvey-…-maskbits`, all of an HDU called MSK (DES: 1 where
    no image is good).
    """
    if reading.mask_bits is not None:
        return _together(reading.mask_bits)
    named = {key[3:]: int(mask.header[key]) for key in mask.header if key.startswith("MP_")}
    if named:
        return _together(tuple(bit for name, bit in named.items() if name in RUBIN))
    if mask.file.name.lower().startswith("legacysurvey"):
        return _together(LEGACY.get(band.lower(), ()))
    return ANY if str(mask.header.get("EXTNAME", "")).upper() == "MSK" else None


def _together(bits: tuple[int, ...]) -> int:
    return sum(1 << bit for bit in set(bits))
