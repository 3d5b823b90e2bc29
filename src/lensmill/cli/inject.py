"""inject: simulated arcs into real galaxies."""

from pathlib import Path
from typing import Annotated, Any

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
from lensmill.cli.shared import DeviceOption, chosen_device, friendly, numbers, progress


@app.command()
def inject(
    folder: FolderArgument,
    zero_point: Annotated[
        str, typer.Option(help="AB mag of one image unit; one number, or one per band.")
    ],
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path("lensmill-inject"),
    gain: Annotated[
        str | None, typer.Option(help="e⁻ per image unit; without it that of the survey preset.")
    ] = None,
    bands: BandsOption = "g,r,i",
    survey: SurveyOption = None,
    pixel_scale: PixelScaleOption = None,
    psf_fwhm: PsfFwhmOption = None,
    hdus: HdusOption = None,
    weights: WeightsOption = None,
    galaxies: Annotated[int, typer.Option(min=1, help="Galaxies at most.")] = 500,
    injections: Annotated[int, typer.Option(min=1, help="Into each of them.")] = 8,
    threshold: Annotated[
        float | None,
        typer.Option(help="p_lens of what is found; without it, what 5 % of untouched ones reach."),
    ] = None,
    device: DeviceOption = "auto",
    trust: TrustOption = False,
) -> None:
    """Inject simulated arcs into your own galaxies, and say which of them are found."""
    with friendly(), progress() as report:
        from lensmill.survey.inject import inject as verb

        summary = verb(
            folder,
            out,
            zero_point=numbers("--zero-point", zero_point, float),
            gain=numbers("--gain", gain, float),
            reading=chosen_reading(bands, survey, pixel_scale, psf_fwhm, hdus),
            weights=weights,
            galaxies=galaxies,
            injections=injections,
            threshold=threshold,
            trust=trust,
            device=chosen_device(device),
            report=report,
        )
    _tell(summary, out)


def _tell(summary: dict[str, Any], out: Path) -> None:
    for rates in (summary["at_half"], summary["at_threshold"]):
        typer.echo(f"p_lens > {rates['threshold']:.3f}")
        for name in ("completeness", "false_positive_rate"):
            share = rates[name]
            spread = f"{share['low']:.3f} to {share['high']:.3f}"
            typer.echo(f"  {name:20s} {share['value']:.3f} ({spread}), {share['total']}")
    for name, bins in summary["completeness_by"].items():
        for each in bins:
            where = f"{name} {each['low']:.3g} to {each['high']:.3g}"
            typer.echo(f"{where:32s} {each['share']['value']:.3f} of {each['share']['total']}")
    typer.echo(f"picture: {out / 'inject.png'}")
    typer.echo(f"thresholds: lensmill operating-point {out} --prevalence 1e-3")
