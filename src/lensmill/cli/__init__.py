"""The command line: every verb, as it is in Python. `lensmill COMMAND --help` says more.

Exit codes: 0 done; 1 bad input (the message says what and where); 130 interrupted (the message
says what is kept).
"""

from importlib import import_module

from lensmill.cli.app import app

COMMANDS = (
    "demo",
    "run",
    "watch",
    "board",
    "export",
    "simulate",
    "train",
    "search",
    "calibrate",
    "evaluate",
    "limits",
    "operating_point",
    "inject",
    "check_domain",
    "report",
    "doctor",
)
"""In the order of the help; each is a file of this folder."""

for command in COMMANDS:
    import_module(f"lensmill.cli.{command}")

__all__ = ["app"]
