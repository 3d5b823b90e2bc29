"""export: a run or a data set in the form in which others read it."""

from pathlib import Path
from typing import Annotated

import typer

from lensmill.cli.app import app
from lensmill.cli.reading import (
    HdusOption,
    PixelScaleOption,
    PsfFwhmOption,
    SameBandsOption,
    SurveyOption,
    same_reading,
)
from lensmill.cli.shared import friendly, names


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="A finished run; for mmu, also a data set.")],
    to: Annotated[
        str,
        typer.Option(help="coolest, lenstronomy, pyautolens, hats, votable, fits or mmu."),
    ],
    out: Annotated[Path | None, typer.Option(help="The folder to write; FOLDER-TO.")] = None,
    p_lens: Annotated[float, typer.Option(help="Candidates are of at least this p_lens.")] = 0.5,
    ids: Annotated[str, typer.Option(help="Candidates by id, comma-separated, instead.")] = "",
    stamps: Annotated[Path | None, typer.Option(help="mmu: what the run read.")] = None,
    bands: SameBandsOption = None,
    survey: SurveyOption = None,
    pixel_scale: PixelScaleOption = None,
    psf_fwhm: PsfFwhmOption = None,
    hdus: HdusOption = None,
) -> None:
    """Hand a run to others: lens modellers, catalogue tools, the Multimodal Universe."""
    with friendly():
        from lensmill.survey.export import export as verb
        from lensmill.survey.run import RUN, reading_of

        reading = None
        if to == "mmu" and (folder / RUN).is_file():
            given = same_reading(folder, bands, survey, pixel_scale, psf_fwhm, hdus)
            reading = reading_of(folder, given)
        done = verb(
            folder,
            out or folder.with_name(f"{folder.resolve().name}-{to}"),
            to,
            p_lens=p_lens,
            ids=names(ids),
            stamps=stamps,
            reading=reading,
        )
    typer.echo(f"{done.objects} objects in {done.path}")
