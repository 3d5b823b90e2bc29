"""What several commands need: options, errors, progress, figures."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

RecipeOption = Annotated[
    Path | None, typer.Option("--recipe", help="A recipe: a TOML file, or a shipped one's name.")
]
DeviceOption = Annotated[str, typer.Option(help="cpu, cuda, or auto.")]

GOES_ON = "interrupted; the same command goes on where this stopped"
NOTHING_KEPT = "interrupted; nothing was kept"


@contextmanager
def friendly(interrupted: str = NOTHING_KEPT) -> Iterator[None]:
    """User mistakes, and what files refuse, become one message and exit code 1; Ctrl-C, 130."""
    try:
        yield
    except (ValueError, OSError) as error:
        typer.echo(f"lensmill: {_message(error)}", err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        typer.echo(interrupted, err=True)
        raise typer.Exit(130) from None


def _message(error: ValueError | OSError) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


@contextmanager
def progress() -> Iterator[Callable[[float, str], None]]:
    """A bar with rate and time left."""
    from rich import progress as rich
    from rich.console import Console

    share, left = "{task.percentage:3.0f}%", rich.TimeRemainingColumn()
    columns = (rich.BarColumn(), share, rich.TimeElapsedColumn(), "left", left)
    with rich.Progress(*columns, "{task.description}", console=Console(file=sys.stderr)) as bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda share, line: bar.update(task, completed=share, description=line)


def tell_figures(summary: dict[str, Any]) -> None:
    """A line for each figure that rests on something."""
    for name, figure in summary.items():
        if isinstance(figure, dict) and figure.get("n"):
            typer.echo(f"{name:48s} {figure['value']:.4g} ± {figure['error']:.2g}")


def chosen_recipe(path: Path | None):  # type: ignore[no-untyped-def]
    from lensmill.training.recipe import read_recipe

    return read_recipe(path or Path("survey"))


def chosen_device(name: str) -> str:
    """A device that is here; auto: a GPU, if there is one. ValueError lists the choices."""
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    here = [*(["cuda"] if gpus else []), "cpu", *(f"cuda:{number}" for number in range(gpus))]
    if name not in ("auto", *here):
        raise ValueError(f"no device {name!r} here; choices: auto, {', '.join(here)}")
    return here[0] if name == "auto" else name


def names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def numbers(option: str, text: str | None, kind):  # type: ignore[no-untyped-def]
    if text is None:
        return None
    try:
        return tuple(kind(part) for part in names(text))
    except ValueError:
        which = "whole numbers" if kind is int else "numbers"
        raise ValueError(f"{option}: {text!r} is no comma-separated list of {which}") from None


def pair(option: str, text: str) -> tuple[int, int]:
    sides = numbers(option, text, int)
    if len(sides) not in (1, 2):
        raise ValueError(f"{option}: {text!r} is no side or sides y,x in pixels")
    return sides[0], sides[-1]


def tell(summary) -> None:  # type: ignore[no-untyped-def]
    typer.echo(
        f"{summary.objects} objects, {summary.failed} failed {summary.reasons or ''}".strip()
    )
    typer.echo(f"catalogue: {summary.out / 'catalogue.parquet'}")
    typer.echo(f"page:      {summary.out / 'report.html'}")
