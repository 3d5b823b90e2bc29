"""The application that every verb's file adds its command to."""

import typer

app = typer.Typer(
    help="From survey images to strong-lens models: simulate, denoise, deblend, find, model.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
