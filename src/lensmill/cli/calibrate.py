"""calibrate: what is measured of trained weights before their answers are believed."""

import json
from pathlib import Path
from typing import Annotated

import typer

from lensmill.cli.app import app
from lensmill.cli.reading import TrustOption
from lensmill.cli.shared import (
    DeviceOption,
    RecipeOption,
    chosen_device,
    chosen_recipe,
    friendly,
    progress,
)


@app.command()
def calibrate(
    weights: Annotated[Path, typer.Argument(help="A folder of weights; they are changed.")],
    recipe: RecipeOption = None,
    count: Annotated[int, typer.Option(min=2, help="Systems of the validation split.")] = 4000,
    average: Annotated[bool, typer.Option(help="For use with `evaluate --average`.")] = False,
    device: DeviceOption = "auto",
    trust: TrustOption = False,
) -> None:
    """Make p_lens and posteriors mean what they say, and learn what is unlike the training."""
    with friendly(), progress() as report:
        from lensmill.evaluation.calibrate import calibrate as verb

        found = verb(
            weights,
            chosen_recipe(recipe),
            count=count,
            average=average,
            device=chosen_device(device),
            trust=trust,
            report=report,
        )
    typer.echo(json.dumps(found, indent=1))
