"""How a folder is to be read: the options that several commands share."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lensmill.cli.shared import names, numbers

FolderArgument = Annotated[Path, typer.Argument(help="A folder of FITS, HDF5 or npy files.")]
BandsOption = Annotated[str, typer.Option(help="Bands, blue to red.")]
SurveyOption = Annotated[str | None, typer.Option(help="Preset for what files do not say.")]
PixelScaleOption = Annotated[float | None, typer.Option(help="arcsec; goes before what files say.")]
PsfFwhmOption = Annotated[str | None, typer.Option(help="arcsec per band, goes before files.")]
HdusOption = Annotated[str | None, typer.Option(help="HDU number of each band, e.g. 1,3,5.")]
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
        psf_fwhm=numbers(psf_fwhm, float),
        hdus=numbers(hdus, int),
        **tiles,
    )
