"""Identity: what a training is of, so that no other one goes on from its state."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FREE = "training.steps"
"""How long a training lasts may change while it goes on."""

Settings = dict[str, Any]
"""Every key of a recipe's tables, dotted, and its value."""


def settings_of(tables: Mapping[str, Any]) -> Settings:
    """The tables (JSON values), less what may change."""
    return {key: value for key, value in _flat(tables) if not key.endswith(FREE)}


def check_same(state: Path, made: Settings | None, wanted: Settings) -> None:
    """ValueError names the settings in which a saved state is of another training. None: a state
    from before this was noted."""
    if made is None:
        return
    unlike = [key for key in made | wanted if made.get(key) != wanted.get(key)]
    if unlike:
        raise ValueError(
            f"{state} is of a training with another {', '.join(unlike)}: "
            "--no-resume (resume=False) starts anew, another out keeps both"
        )


def _flat(tables: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tables.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value
