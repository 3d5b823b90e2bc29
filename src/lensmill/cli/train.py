"""train: the stages of a recipe."""

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
def train(
    stage: Annotated[str, typer.Argument(help="A stage of the recipe, together, or all.")] = "all",
    out: Annotated[Path, typer.Option(help="Where weights and states go.")] = Path("runs/survey"),
    recipe: RecipeOption = None,
    budget: Annotated[
        float | None, typer.Option(help="Minutes per stage; without it the recipe's steps.")
    ] = None,
    shards: Annotated[Path | None, typer.Option(help="Train on a data set on disk.")] = None,
    start: Annotated[
        Path | None, typer.Option(help="A folder of weights to set out from, of the same networks.")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on from a saved state.")] = True,
    device: DeviceOption = "auto",
) -> None:
    """Train the stages of a recipe, in order, then as one chain (`together`) if the recipe says
    so; Ctrl-C saves, the same command goes on."""
    with friendly(GOES_ON), progress() as report:
        from lensmill.training.together import NAME, together
        from lensmill.training.train import train as verb

        if start is not None and stage == NAME:
            raise ValueError(f"{NAME} goes on from the stages in {out}: --start is for a stage")
        chosen = chosen_recipe(recipe)
        every = [*chosen.stages, *([NAME] if chosen.together else [])]
        same = {
            "budget": None if budget is None else 60 * budget,
            "shards": shards,
            "resume": resume,
            "device": chosen_device(device),
            "report": report,
        }
        for name in every if stage == "all" else [stage]:
            if name == NAME:
                together(chosen, out, **same)  # type: ignore[arg-type]
            else:
                verb(chosen, name, out, start=start, **same)  # type: ignore[arg-type]
    typer.echo(f"weights in {out}")
