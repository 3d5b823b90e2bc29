"""How a folder is to be read: the options that several commands share."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from lensmill.cli.shared import names, numbers, pair

FolderArgument = Annotated[Path, typer.Argument(help="A folder of FITS, HDF5 or npy files.")]
BandsOption = Annotated[str, typer.Option(help="Bands, blue to red.")]
SurveyOption = Annotated[str | None, typer.Option(help="Preset for what files do not say.")]
PixelScaleOption = Annotated[float | None, typer.Option(help="arcsec; goes before what files say.")]
PsfFwhmOption = Annotated[str | None, typer.Option(help="arcsec per band, goes before files.")]
HdusOption = Annotated[str | None, typer.Option(help="HDU number of each band, e.g. 1,3,5.")]
PositionsOption = Annotated[
    Path | None, typer.Option(help="A table of positions to cut from tiles in the folder.")
]
CutOption = Annotated[
    str | None, typer.Option(help="Pixels of what is cut: 64, which is usual, or y,x.")
]
MaskBitsOption = Annotated[
    str | None, typer.Option(help="Bits of unusable pixels in masks of tiles, e.g. 0,3.")
]
SameBandsOption = Annotated[
    str | None, typer.Option(help="As in run; this and the next are the run's without them.")
]
WeightsOption = Annotated[Path | None, typer.Option(help="A folder of weights.")]
TrustOption = Annotated[bool, typer.Option(help="Let weights import your own parts.")]


def chosen_reading(  # type: ignore[no-untyped-def]
    bands: str,
    survey: str | None,
    pixel_scale: float | None,
    psf_fwhm: str | None,
    hdus: str | None,
    **tiles: Any,
):
    """The `Reading` that the options say; tiles: its fields of positions in tiles, if any."""
    from lensmill.physics.surveys import preset
    from lensmill.survey.stamps import Reading

    return Reading(
        bands=names(bands),
        survey=preset(survey) if survey else None,
        pixel_scale=pixel_scale,
        psf_fwhm=numbers("--psf-fwhm", psf_fwhm, float),
        hdus=numbers("--hdus", hdus, int),
        **tiles,
    )


def chosen_tiles(positions: Path | None, cut: str | None, mask_bits: str | None) -> dict[str, Any]:
    """What is said of tiles; ValueError where it is said of stamps."""
    given = {
        "positions": positions,
        "cut": cut and pair("--cut", cut),
        "mask_bits": numbers("--mask-bits", mask_bits, int),
    }
    tiles = {name: value for name, value in given.items() if value is not None}
    if tiles and positions is None:
        option = "--" + next(iter(tiles)).replace("_", "-")
        raise ValueError(f"{option} is for stamps cut from tiles: give their --positions")
    return tiles


def same_reading(  # type: ignore[no-untyped-def]
    run: Path,
    bands: str | None,
    survey: str | None,
    pixel_scale: float | None,
    psf_fwhm: str | None,
    hdus: str | None,
):
    """The `Reading` of a run with what the options say instead; None where they say nothing."""
    from lensmill.survey.run import recorded_reading

    given = chosen_reading(bands or "g,r,i", survey, pixel_scale, psf_fwhm, hdus)
    options = {
        "bands": bands,
        "survey": survey,
        "pixel_scale": pixel_scale,
        "psf_fwhm": psf_fwhm,
        "hdus": hdus,
    }
    said = {name: getattr(given, name) for name, value in options.items() if value is not None}
    return replace(recorded_reading(run), **said) if said else None
