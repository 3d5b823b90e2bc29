"""train: the stages of a recipe."""

from pathlib import Path
from typing import Annotated

import typer

from lensmill.cli.app import app
from lensmill.cli.shared import DeviceOption, RecipeOption, chosen_recipe, friendly, progress


@app.command()
def train(
    stage: Annotated[str, typer.Argument(help="A stage of the recipe, or all.")] = "all",
    out: Annotated[Path, typer.Option(help="Where weights and states go.")] = Path("runs/survey"),
    recipe: RecipeOption = None,
    budget: Annotated[
        float | None, typer.Option(help="Minutes per stage; without it the recipe's steps.")
    ] = None,
    shards: Annotated[Path | None, typer.Option(help="Train on a data set on disk.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on from a saved state.")] = True,
    device: DeviceOption = "auto",
) -> None:
    """Train the stages of a recipe, in order; Ctrl-C saves, the same command goes on."""
    with friendly(), progress() as report:
        from lensmill.training.train import train as verb

        chosen = chosen_recipe(recipe)
        for name in chosen.stages if stage == "all" else [stage]:
            verb(
                chosen,
                name,
                out,
                budget=None if budget is None else 60 * budget,
                shards=shards,
                resume=resume,
                device=device,
                report=report,
            )
    typer.echo(f"weights in {out}")
