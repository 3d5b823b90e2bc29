"""export: a run or a data set in the form in which others read it."""

from pathlib import Path
from typing import Annotated

import typer

from lensmill.cli.app import app
from lensmill.cli.shared import friendly, names, numbers


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
    bands: Annotated[str, typer.Option(help="mmu: as in run.")] = "g,r,i",
    survey: Annotated[str | None, typer.Option(help="mmu: preset, as in run.")] = None,
    pixel_scale: Annotated[float | None, typer.Option(help="mmu: arcsec, as in run.")] = None,
    psf_fwhm: Annotated[str | None, typer.Option(help="mmu: per band, as in run.")] = None,
    hdus: Annotated[str | None, typer.Option(help="mmu: per band, as in run.")] = None,
) -> None:
    """Hand a run to others: lens modellers, catalogue tools, the Multimodal Universe."""
    with friendly():
        from lensmill.physics.surveys import preset
        from lensmill.survey.export import export as verb
        from lensmill.survey.reading import Reading

        reading = Reading(
            bands=names(bands),
            survey=preset(survey) if survey else None,
            pixel_scale=pixel_scale,
            psf_fwhm=numbers(psf_fwhm, float),
            hdus=numbers(hdus, int),
        )
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
