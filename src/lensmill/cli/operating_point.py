"""operating-point: thresholds, and what each selects on the user's sky."""

from pathlib import Path
from typing import Annotated

import typer

from lensmill.cli.app import app
from lensmill.cli.shared import friendly

COLUMNS = {
    "threshold": "p_lens ≥",
    "probability": "at prevalence",
    "completeness": "completeness",
    "false_positive_rate": "false positives",
    "purity": "purity",
    "purity_low": "16 %",
    "purity_high": "84 %",
    "purity_calibrated": "if calibrated",
    "candidates": "candidates",
    "lenses": "of them lenses",
}


@app.command()
def operating_point(
    folder: Annotated[Path, typer.Argument(help="Of evaluate or inject.")],
    prevalence: Annotated[
        float, typer.Option(help="Share of lenses among the objects looked at.")
    ] = 1e-3,
    density: Annotated[
        float | None, typer.Option(min=0, help="Objects per deg²: count per 1,000 deg².")
    ] = None,
) -> None:
    """Say which threshold on p_lens keeps how many lenses, and how pure its selection is."""
    with friendly():
        from lensmill.evaluation.operating import operating_point as verb

        points = verb(folder, prevalence=prevalence, density=density)
    shown = [name for name in COLUMNS if name in points[0]]
    typer.echo("  ".join(f"{COLUMNS[name]:>15s}" for name in shown))
    for point in points:
        typer.echo("  ".join(f"{point[name]:15.4g}" for name in shown))
