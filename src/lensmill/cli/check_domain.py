"""check-domain: does my data look like the training data?"""

from pathlib import Path
from typing import Annotated, Any

import typer

from lensmill.cli.app import app
from lensmill.cli.reading import (
    HdusOption,
    PixelScaleOption,
    PsfFwhmOption,
    SameBandsOption,
    SurveyOption,
    TrustOption,
    WeightsOption,
    same_reading,
)
from lensmill.cli.shared import DeviceOption, chosen_device, friendly, progress


@app.command()
def check_domain(
    run: Annotated[Path, typer.Argument(help="The folder of a run.")],
    images: Annotated[
        Path | None, typer.Option(help="The folder that was run, if it has moved since.")
    ] = None,
    bands: SameBandsOption = None,
    survey: SurveyOption = None,
    pixel_scale: PixelScaleOption = None,
    psf_fwhm: PsfFwhmOption = None,
    hdus: HdusOption = None,
    weights: WeightsOption = None,
    count: Annotated[int, typer.Option(min=32, help="Objects of each side at most.")] = 384,
    device: DeviceOption = "auto",
    trust: TrustOption = False,
) -> None:
    """Compare a run's objects with the simulation its networks were trained on; give advice."""
    with friendly(), progress() as report:
        from lensmill.survey.domain import check_domain as verb

        found = verb(
            run,
            images,
            reading=same_reading(run, bands, survey, pixel_scale, psf_fwhm, hdus),
            weights=weights,
            count=count,
            trust=trust,
            device=chosen_device(device),
            report=report,
        )
    _tell(found, run, weights)


def _tell(found: dict[str, Any], run: Path, weights: Path | None) -> None:
    sides = {"yours": "yours 5, 50, 95 %", "training": "training 5, 50, 95 %"}
    head = "".join(f"{title:>30s}" for title in sides.values())
    typer.echo(f"{'':18s}{head}   distance outside")
    for name, trait in found["traits"].items():
        values = (" ".join(f"{x:9.3g}" for x in trait[side]) for side in sides)
        numbers = "".join(f"{value:>30s}" for value in values)
        typer.echo(f"{name:18s}{numbers}   {trait['distance']:8.2f} {trait['outside']:7.0%}")
    auc, halves = found["probe_auc"], found["probe_auc_of_halves"]
    typer.echo(
        f"\na probe of the network's features tells yours from training with AUC "
        f"{auc['value']:.2f} ± {auc['error']:.2f} (two halves of training: {halves['value']:.2f})\n"
        f"strange to the network: {found['strange']:.0%} of your objects, "
        f"{found['strange_in_training']:.0%} of the training's"
    )
    for line in found["advice"] or ["nothing is outside the training's range"]:
        typer.echo(f"- {line}")
    typer.echo(f"picture: {run / 'domain.png'}\nto fine-tune:\n{_fine_tune(run, weights)}")


def _fine_tune(run: Path, weights: Path | None) -> str:
    """The commands that train the weights on at conditions that hold the run's."""
    from lensmill.weights import FOLDER

    return (
        f"  cp -r {weights or FOLDER} mine\n"
        f"  lensmill train together --recipe {run / 'finetune.toml'} --out mine\n"
        "  lensmill run FOLDER --weights mine/together"
    )
