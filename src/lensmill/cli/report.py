"""report: the page of a run, of an evaluation, or of the paper's experiments done anew."""

from pathlib import Path
from typing import Annotated

import typer

from lensmill.cli.app import app
from lensmill.cli.shared import DeviceOption, chosen_device, friendly, progress

BENCHMARKS = ("paper",)


@app.command()
def report(
    folder: Annotated[Path | None, typer.Argument(help="A run or an evaluation.")] = None,
    out: Annotated[Path | None, typer.Option(help="The page; in the folder by default.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Objects on the page at most.")] = 500,
    benchmark: Annotated[
        str | None, typer.Option(help="paper: evaluate the shipped weights on its data first.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Systems of a benchmark.")] = 1000,
    limits: Annotated[int, typer.Option(min=0, help="Systems of a benchmark with limits.")] = 64,
    device: DeviceOption = "auto",
) -> None:
    """Make the page of a run or an evaluation; of an evaluation, print the paper's Table 1 too."""
    with friendly():
        from lensmill.evaluation import report as reports

        if benchmark:
            folder = folder or Path(f"lensmill-{benchmark}")
            _measure(benchmark, folder, count, limits, device)
        if folder is None:
            raise ValueError("give the folder of a run or an evaluation, or --benchmark paper")
        page = reports.report(folder, out, limit)
        typer.echo(f"{reports.table_one_of(folder)}\n{page}".strip())


def _measure(name: str, folder: Path, count: int, limits: int, device: str) -> None:
    from lensmill.evaluation.benchmark import benchmark
    from lensmill.training.recipe import shipped_recipe
    from lensmill.weights import COMPACT

    if name not in BENCHMARKS:
        raise ValueError(f"no benchmark {name!r}; choices: {', '.join(BENCHMARKS)}")
    with progress() as report:
        recipe = shipped_recipe("compact")
        benchmark(
            COMPACT,
            recipe,
            folder,
            count=count,
            limited=min(limits, count),
            device=chosen_device(device),
            report=report,
        )
