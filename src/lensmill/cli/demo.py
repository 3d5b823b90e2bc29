"""demo: the whole tool on a few simulated stamps."""

from pathlib import Path
from typing import Annotated

import typer

from lensmill.cli.app import app
from lensmill.cli.shared import friendly, progress, tell


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path("lensmill-demo"),
    count: Annotated[int, typer.Option(min=1, help="How many stamps.")] = 48,
) -> None:
    """Simulate a few survey stamps, run the whole chain on them, and make the page."""
    with friendly(), progress() as report:
        from lensmill.survey.demo import demo as verb

        summary = verb(out, count=count, report=report)
    tell(summary)
