"""report: the page of a run or an evaluation."""

from pathlib import Path
from typing import Annotated

import typer

from lensmill.cli.app import app
from lensmill.cli.shared import friendly


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="A run or an evaluation.")],
    out: Annotated[Path | None, typer.Option(help="The page; in the folder by default.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Objects on the page at most.")] = 500,
) -> None:
    """Make the page of a run or an evaluation; of an evaluation, print the paper's Table 1 too."""
    with friendly():
        from lensmill.evaluation import report as reports

        page = reports.report(folder, out, limit)
        typer.echo(f"{reports.table_one_of(folder)}\n{page}".strip())
