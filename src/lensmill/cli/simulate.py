"""simulate: a data set to disk."""

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
    names,
    progress,
)


@app.command()
def simulate(
    out: Annotated[Path, typer.Argument(help="Where the data set goes.")],
    recipe: RecipeOption = None,
    count: Annotated[int, typer.Option(min=1, help="How many scenes.")] = 1000,
    shard: Annotated[int, typer.Option(min=1, help="Scenes per file.")] = 512,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "train",
    processes: Annotated[int, typer.Option(min=1, help="CPU processes; not for a GPU.")] = 1,
    images: Annotated[str, typer.Option(help="Which to store.")] = "noisy,clean,source",
    parameters_only: Annotated[
        bool, typer.Option("--parameters-only", help="Store scenes alone; readers render them.")
    ] = False,
    compression: Annotated[str | None, typer.Option(help="gzip: half the size.")] = None,
    device: DeviceOption = "auto",
) -> None:
    """Simulate a data set to disk. The same command goes on where it stopped, and repairs."""
    with friendly(GOES_ON), progress() as report:
        from lensmill.evaluation.dataset import describe
        from lensmill.simulation.shards import FIRST_INDEX
        from lensmill.simulation.simulate import simulate as verb
        from lensmill.training.build import build_grids, build_simulator

        if split not in FIRST_INDEX:
            raise ValueError(f"no split {split!r}; choices: {', '.join(FIRST_INDEX)}")
        chosen = chosen_recipe(recipe).simulation
        verb(
            build_simulator(chosen),
            build_grids(chosen),
            out,
            seed=chosen.seed,
            count=count,
            split=split,
            shard=shard,
            images=() if parameters_only else names(images),
            compression=compression,
            recipe=chosen.model_dump(mode="json"),
            processes=processes,
            device="cpu" if processes > 1 and device == "auto" else chosen_device(device),
            report=report,
        )
        describe(out)
    typer.echo(f"{count} scenes in {out}; see preview.png, distributions.png, statistics.json")
