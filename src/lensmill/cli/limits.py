"""limits: how well systems can be known at best."""

from pathlib import Path
from typing import Annotated

import typer

from lensmill.cli.app import app
from lensmill.cli.shared import RecipeOption, chosen_recipe, friendly, progress, tell_figures


@app.command()
def limits(
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path("lensmill-evaluation"),
    recipe: RecipeOption = None,
    count: Annotated[int, typer.Option(min=1, help="Systems, the first of an evaluation.")] = 200,
) -> None:
    """Say how well the systems of an evaluation can be known at best: a row for each."""
    with friendly(), progress() as report:
        from lensmill.evaluation.limits import limits as verb

        summary = verb(chosen_recipe(recipe), out, count=count, report=report)
    tell_figures(summary)
