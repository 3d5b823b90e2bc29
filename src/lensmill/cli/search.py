"""search: better settings of a stage."""

from pathlib import Path
from typing import Annotated

import typer

from lensmill.cli.app import app
from lensmill.cli.shared import (
    GOES_ON,
    DeviceOption,
    RecipeOption,
    chosen_device,
    chosen_recipe,
    friendly,
    progress,
)


@app.command()
def search(
    stage: Annotated[str, typer.Argument(help="A stage of the recipe.")],
    out: Annotated[Path, typer.Option(help="Where the study goes.")] = Path("lensmill-search"),
    recipe: RecipeOption = None,
    trials: Annotated[int, typer.Option(min=1, help="How many, with those there are.")] = 20,
    budget: Annotated[float, typer.Option(help="Minutes per trial.")] = 10.0,
    weights: Annotated[
        Path | None, typer.Option(help="A folder with the stages before it, if it has some.")
    ] = None,
    shards: Annotated[Path | None, typer.Option(help="Train on a data set on disk.")] = None,
    device: DeviceOption = "auto",
) -> None:
    """Search for a better network and training of a stage by many short trainings (with Optuna);
    the same command goes on, with more --trials further."""
    with friendly(GOES_ON), progress() as report:
        from lensmill.training.search import search as verb

        best = verb(
            chosen_recipe(recipe),
            stage,
            out,
            trials=trials,
            budget=60 * budget,
            weights=weights,
            device=chosen_device(device),
            shards=shards,
            report=report,
        )
    typer.echo(f"every trial in {out / 'trials.csv'}; the best one's recipe is {best}")
