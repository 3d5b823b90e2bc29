"""watch: what arrives in a folder, through the chain."""

from pathlib import Path
from typing import Annotated

import typer

from lensmill.cli.app import app
from lensmill.cli.reading import (
    BandsOption,
    FolderArgument,
    HdusOption,
    PixelScaleOption,
    PsfFwhmOption,
    SurveyOption,
    TrustOption,
    WeightsOption,
    chosen_reading,
)
from lensmill.cli.shared import GOES_ON, DeviceOption, chosen_device, friendly, tell


@app.command()
def watch(
    folder: FolderArgument,
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path("lensmill-watch"),
    idle: Annotated[
        float | None, typer.Option(min=0, help="Stop after so many seconds without an arrival.")
    ] = None,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 1.0,
    bands: BandsOption = "g,r,i",
    survey: SurveyOption = None,
    pixel_scale: PixelScaleOption = None,
    psf_fwhm: PsfFwhmOption = None,
    hdus: HdusOption = None,
    weights: WeightsOption = None,
    pictures: Annotated[int, typer.Option(min=0, help="Pictures at most.")] = 500,
    device: DeviceOption = "auto",
    trust: TrustOption = False,
) -> None:
    """Run the chain on what arrives in a folder, seconds after it arrives, until Ctrl-C."""
    with friendly(GOES_ON):
        from lensmill.survey.run import Options
        from lensmill.survey.watch import watch as verb

        summary = verb(
            folder,
            out,
            reading=chosen_reading(bands, survey, pixel_scale, psf_fwhm, hdus),
            weights=weights,
            options=Options(pictures=pictures, device=chosen_device(device)),
            idle=idle,
            interval=interval,
            trust=trust,
            tell=typer.echo,
        )
    tell(summary)
