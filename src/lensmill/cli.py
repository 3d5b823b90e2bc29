"""The command line: every verb, as it is in Python. `lensmill COMMAND --help` says more.

Exit codes: 0 done; 1 bad input (the message says what and where); 130 interrupted (run it again).
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    help="From survey images to strong-lens models: simulate, denoise, deblend, find, model.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

RecipeOption = Annotated[
    Path | None, typer.Option("--recipe", help="A recipe (TOML); the shipped one by default.")
]
DeviceOption = Annotated[str, typer.Option(help="cpu, cuda, or auto.")]


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path("lensmill-demo"),
    count: Annotated[int, typer.Option(min=1, help="How many stamps.")] = 48,
) -> None:
    """Simulate a few survey stamps, run the whole chain on them, and make the page."""
    with _friendly(), _progress() as report:
        from lensmill.survey.demo import demo as verb

        summary = verb(out, count=count, report=report)
    _tell(summary)


@app.command()
def run(
    folder: Annotated[Path, typer.Argument(help="A folder of FITS, HDF5 or npy files.")],
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path("lensmill-run"),
    bands: Annotated[str, typer.Option(help="Bands, blue to red.")] = "g,r,i",
    survey: Annotated[str | None, typer.Option(help="Preset for what files do not say.")] = None,
    pixel_scale: Annotated[
        float | None, typer.Option(help="arcsec; goes before what files say.")
    ] = None,
    psf_fwhm: Annotated[
        str | None, typer.Option(help="arcsec per band, goes before files.")
    ] = None,
    hdus: Annotated[str | None, typer.Option(help="HDU number of each band, e.g. 1,3,5.")] = None,
    weights: Annotated[Path | None, typer.Option(help="A folder of weights.")] = None,
    catalogue: Annotated[
        str, typer.Option(help="Catalogue's name; the suffix chooses the format.")
    ] = "catalogue.parquet",
    images: Annotated[bool, typer.Option(help="Write denoised, source, lens light FITS.")] = False,
    pictures: Annotated[int, typer.Option(min=0, help="Pictures at most.")] = 500,
    batch: Annotated[int, typer.Option(min=1, help="Stamps per batch.")] = 32,
    device: DeviceOption = "auto",
    trust: Annotated[bool, typer.Option(help="Let weights import your own parts.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Only say how the folder is understood.")] = False,
) -> None:
    """Denoise, deblend, classify and model every object in a folder."""
    with _friendly():
        from lensmill.physics.surveys import preset
        from lensmill.survey.stamps import Reading, describe

        reading = Reading(
            bands=_names(bands),
            survey=preset(survey) if survey else None,
            pixel_scale=pixel_scale,
            psf_fwhm=_numbers(psf_fwhm, float),
            hdus=_numbers(hdus, int),
        )
        if dry_run:
            typer.echo("\n\n".join(str(layout) for layout in describe(folder, reading)))
            return
        from lensmill.survey.run import Options
        from lensmill.survey.run import run as verb

        options = Options(pictures, images, batch, _device(device))
        with _progress() as report:
            summary = verb(
                folder,
                out,
                reading=reading,
                weights=weights,
                options=options,
                catalogue=catalogue,
                trust=trust,
                report=report,
            )
    _tell(summary)


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
    with _friendly(), _progress() as report:
        from lensmill.evaluation.dataset import describe
        from lensmill.simulation.shards import FIRST_INDEX
        from lensmill.simulation.simulate import simulate as verb
        from lensmill.training.build import build_grids, build_simulator

        if split not in FIRST_INDEX:
            raise ValueError(f"no split {split!r}; choices: {', '.join(FIRST_INDEX)}")
        chosen = _recipe(recipe).simulation
        verb(
            build_simulator(chosen),
            build_grids(chosen),
            out,
            seed=chosen.seed,
            count=count,
            split=split,
            shard=shard,
            images=() if parameters_only else _names(images),
            compression=compression,
            recipe=chosen.model_dump(mode="json"),
            processes=processes,
            device="cpu" if processes > 1 and device == "auto" else _device(device),
            report=report,
        )
        describe(out)
    typer.echo(f"{count} scenes in {out}; see preview.png, distributions.png, statistics.json")


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
    with _friendly(), _progress() as report:
        from lensmill.training.train import train as verb

        chosen = _recipe(recipe)
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


@app.command()
def evaluate(
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path("lensmill-evaluation"),
    weights: Annotated[Path | None, typer.Option(help="A folder of weights.")] = None,
    recipe: RecipeOption = None,
    count: Annotated[int, typer.Option(min=1, help="Held-out systems.")] = 2000,
    baseline: Annotated[int, typer.Option(min=0, help="Systems for the classical fit.")] = 200,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    device: DeviceOption = "auto",
) -> None:
    """Score the chain on held-out simulated systems: one row per system, and a summary."""
    with _friendly(), _progress() as report:
        from lensmill.evaluation.evaluate import evaluate as verb
        from lensmill.weights import FOLDER

        summary = verb(
            weights or FOLDER,
            _recipe(recipe),
            out,
            count=count,
            baseline=baseline,
            split=split,  # type: ignore[arg-type]
            device=_device(device),
            report=report,
        )
    _figures(summary)


@app.command()
def limits(
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path("lensmill-evaluation"),
    recipe: RecipeOption = None,
    count: Annotated[int, typer.Option(min=1, help="Systems, the first of an evaluation.")] = 200,
) -> None:
    """Say how well the systems of an evaluation can be known at best: a row for each."""
    with _friendly(), _progress() as report:
        from lensmill.evaluation.limits import limits as verb

        summary = verb(_recipe(recipe), out, count=count, report=report)
    _figures(summary)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="A run or an evaluation.")],
    out: Annotated[Path | None, typer.Option(help="The page; in the folder by default.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Objects on the page at most.")] = 500,
) -> None:
    """Make the page of a run or an evaluation; of an evaluation, print the paper's Table 1 too."""
    with _friendly():
        from lensmill.evaluation import report as reports

        page = reports.report(folder, out, limit)
        typer.echo(f"{reports.table_one_of(folder)}\n{page}".strip())


@contextmanager
def _friendly() -> Iterator[None]:
    """User mistakes become one message and exit code 1; Ctrl-C becomes 130."""
    try:
        yield
    except ValueError as error:
        typer.echo(f"lensmill: {error}", err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        typer.echo("interrupted; the same command goes on where this stopped", err=True)
        raise typer.Exit(130) from None


@contextmanager
def _progress() -> Iterator[Callable[[float, str], None]]:
    """A bar with rate and time left."""
    from rich import progress as rich
    from rich.console import Console

    share, left = "{task.percentage:3.0f}%", rich.TimeRemainingColumn()
    columns = (rich.BarColumn(), share, rich.TimeElapsedColumn(), "left", left)
    with rich.Progress(*columns, "{task.description}", console=Console(file=sys.stderr)) as bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda share, line: bar.update(task, completed=share, description=line)


def _tell(summary) -> None:  # type: ignore[no-untyped-def]
    typer.echo(
        f"{summary.objects} objects, {summary.failed} failed {summary.reasons or ''}".strip()
    )
    typer.echo(f"catalogue: {summary.out / 'catalogue.parquet'}")
    typer.echo(f"page:      {summary.out / 'report.html'}")


def _figures(summary: dict[str, Any]) -> None:
    for name, figure in summary.items():
        if isinstance(figure, dict) and "value" in figure:
            typer.echo(f"{name:48s} {figure['value']:.4g} ± {figure['error']:.2g}")


def _recipe(path: Path | None):  # type: ignore[no-untyped-def]
    from lensmill.training.recipe import parse_recipe, read_recipe

    if path is not None:
        return read_recipe(path)
    from importlib import resources

    text = resources.files("lensmill.recipes").joinpath("survey.toml").read_text(encoding="utf-8")
    return parse_recipe(text, "survey.toml")


def _device(name: str) -> str:
    import torch

    if name != "auto":
        return name
    return "cuda" if torch.cuda.is_available() else "cpu"


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _numbers(text: str | None, kind):  # type: ignore[no-untyped-def]
    if text is None:
        return None
    try:
        return tuple(kind(part) for part in _names(text))
    except ValueError:
        raise ValueError(f"{text!r} is no comma-separated list of numbers") from None
