"""board: a local page on which people grade the candidates of a run."""

from pathlib import Path
from typing import Annotated

import typer

from lensmill.cli.app import app
from lensmill.cli.shared import friendly


@app.command("board")
def open_board(
    run: Annotated[Path, typer.Argument(help="The folder of a run, finished or still growing.")],
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8765,
    export: Annotated[
        Path | None, typer.Option(help="Only write the grades, as .csv or .parquet.")
    ] = None,
    into_catalogue: Annotated[
        bool, typer.Option("--into-catalogue", help="Only write the grades into the catalogue.")
    ] = False,
) -> None:
    """Look at the candidates of a run in a browser and grade them; Ctrl-C ends it."""
    with friendly("stopped; the grades are kept"):
        if export or into_catalogue:
            _write(run, export, into_catalogue)
            return
        from lensmill.board.serve import open_board as verb

        verb(run, host=host, port=port, announce=typer.echo)


def _write(run: Path, export: Path | None, into_catalogue: bool) -> None:
    from lensmill.board import export as exports
    from lensmill.board.desk import open_folder

    candidates, grades = open_folder(run)
    if export:
        export.write_bytes(exports.exported(candidates, grades, export.suffix))
        typer.echo(f"grades: {export}")
    if into_catalogue:
        typer.echo(f"{exports.into_catalogue(run, grades)} graded objects in the catalogue")
