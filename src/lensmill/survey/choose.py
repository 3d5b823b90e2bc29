"""Choosing: which plane is which band."""

from dataclasses import dataclass

from lensmill.survey.planes import Plane
from lensmill.survey.reading import Reading, StampError

METHODS = ("EXTNAME", "header", "file name")
POSITION = "position"
GIVEN = "HDU number"


@dataclass(frozen=True)
class Choice:
    """Planes by band, what named them, and every band that was found."""

    planes: dict[str, Plane]
    how: str
    found: tuple[str, ...]


def choose(planes: list[Plane], source: str, reading: Reading) -> Choice:
    """The plane of each asked band.

    By HDU number where given; else by the first of EXTNAME, header and file name that names every
    asked band; else, where nothing names them and they are as many as the bands, by position.
    A name that several planes bear names none of them (cut-outs often copy one band's header).
    """
    if reading.hdus is not None:
        return _by_number(planes, source, reading, reading.hdus)
    by_method = [_named(planes, method) for method in range(len(METHODS))]
    for method, named in zip(METHODS, by_method, strict=True):
        if set(reading.bands) <= set(named):
            return Choice(named, method, tuple(named))
    named = next(filter(None, by_method), {})
    if named:
        raise _missing(source, reading.bands, named)
    return _by_position(planes, source, reading.bands)


def _named(planes: list[Plane], method: int) -> dict[str, Plane]:
    """Planes by name, if no name is borne twice."""
    named = [(name, plane) for plane in planes if (name := plane.names[method]) is not None]
    unique = dict(named)
    return unique if len(unique) == len(named) else {}


def _by_number(planes: list[Plane], source: str, reading: Reading, hdus: tuple[int, ...]) -> Choice:
    chosen = {}
    for band, hdu in zip(reading.bands, hdus, strict=True):
        there = [p for p in planes if p.hdu == hdu and p.names[2] in (None, band)]
        if len(there) != 1:
            have = ", ".join(str(number) for number in sorted({p.hdu for p in planes}))
            what = "holds a cube" if there else "holds no image"
            raise StampError(
                "missing_band", f"{source}: HDU {hdu} (band {band}) {what}; images: HDU {have}"
            )
        chosen[band] = there[0]
    return Choice(chosen, GIVEN, tuple(chosen))


def _by_position(planes: list[Plane], source: str, bands: tuple[str, ...]) -> Choice:
    if len(planes) == len(bands):
        return Choice(dict(zip(bands, planes, strict=True)), POSITION, bands)
    numbers = sorted({plane.hdu for plane in planes})
    raise StampError(
        "missing_band" if len(planes) < len(bands) else "ambiguous_bands",
        f"{source}: {len(planes)} images (HDU {', '.join(map(str, numbers))}) for the bands "
        f"{', '.join(bands)}, and no EXTNAME, FILTER, BAND or BANDS names them; "
        f"say which with hdus, one HDU number for each band",
    )


def _missing(source: str, bands: tuple[str, ...], named: dict[str, Plane]) -> StampError:
    absent = ", ".join(band for band in bands if band not in named)
    return StampError("missing_band", f"{source}: no band {absent}; it has {', '.join(named)}")
