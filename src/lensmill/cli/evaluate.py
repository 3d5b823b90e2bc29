"""evaluate: the chain on held-out systems."""

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
    tell_figures,
)


@app.command()
def evaluate(
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path("lensmill-evaluation"),
    weights: Annotated[Path | None, typer.Option(help="A folder of weights.")] = None,
    recipe: RecipeOption = None,
    count: Annotated[int, typer.Option(min=1, help="Held-out systems.")] = 2000,
    baseline: Annotated[int, typer.Option(min=0, help="Systems for the classical fit.")] = 200,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    average: Annotated[bool, typer.Option(help="See everything all eight ways up.")] = False,
    device: DeviceOption = "auto",
    trust: TrustOption = False,
) -> None:
    """Score the chain on held-out simulated systems: one row per system, and a summary."""
    with friendly(), progress() as report:
        from lensmill.evaluation.evaluate import evaluate as verb
        from lensmill.weights import FOLDER

        summary = verb(
            weights or FOLDER,
            chosen_recipe(recipe),
            out,
            count=count,
            baseline=baseline,
            split=split,  # type: ignore[arg-type]
            average=average,
            device=chosen_device(device),
            trust=trust,
            report=report,
        )
    tell_figures(summary)
