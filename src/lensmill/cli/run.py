"""run: a folder of images through the chain."""

from pathlib import Path
from typing import Annotated

import typer

from lensmill.cli.app import app
from lensmill.cli.reading import (
    BandsOption,
    CutOption,
    FolderArgument,
    HdusOption,
    MaskBitsOption,
    PixelScaleOption,
    PositionsOption,
    PsfFwhmOption,
    SurveyOption,
    TrustOption,
    WeightsOption,
    chosen_reading,
    chosen_tiles,
)
from lensmill.cli.shared import GOES_ON, DeviceOption, chosen_device, friendly, progress, tell

PLensOption = Annotated[
    float | None, typer.Option(min=0.0, max=1.0, help="Model only objects from this p_lens on.")
]


@app.command()
def run(
    folder: FolderArgument,
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path("lensmill-run"),
    bands: BandsOption = "g,r,i",
    survey: SurveyOption = None,
    pixel_scale: PixelScaleOption = None,
    psf_fwhm: PsfFwhmOption = None,
    hdus: HdusOption = None,
    positions: PositionsOption = None,
    cut: CutOption = None,
    mask_bits: MaskBitsOption = None,
    weights: WeightsOption = None,
    catalogue: Annotated[str, typer.Option(help="Its suffix is the format.")] = "catalogue.parquet",
    images: Annotated[bool, typer.Option(help="Write denoised, source, lens light FITS.")] = False,
    pictures: Annotated[int, typer.Option(min=0, help="Pictures at most.")] = 500,
    p_lens: PLensOption = None,
    batch: Annotated[int, typer.Option(min=0, help="Stamps per batch; 0: as memory takes.")] = 0,
    device: DeviceOption = "auto",
    engine: Annotated[
        str, typer.Option(help="process (this one), local (many) or dask.")
    ] = "process",
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0: one for each core.")] = 0,
    scheduler: Annotated[str | None, typer.Option(help="A running Dask's, tcp://…")] = None,
    trust: TrustOption = False,
    dry_run: Annotated[bool, typer.Option(help="Only say how the folder is understood.")] = False,
) -> None:
    """Denoise, deblend, classify and model every object in a folder."""
    with friendly(GOES_ON):
        from lensmill.survey.stamps import describe

        tiles = chosen_tiles(positions, cut, mask_bits)
        reading = chosen_reading(bands, survey, pixel_scale, psf_fwhm, hdus, **tiles)
        if dry_run:
            typer.echo("\n\n".join(str(layout) for layout in describe(folder, reading)))
            return
        from lensmill.survey.run import Engine, Options
        from lensmill.survey.run import run as verb

        options = Options(pictures, images, batch, chosen_device(device), p_lens)
        same = {"reading": reading, "weights": weights, "options": options, "trust": trust}
        who = Engine(engine, workers, scheduler)
        with progress() as report:
            summary = verb(folder, out, catalogue=catalogue, engine=who, report=report, **same)
    tell(summary)
