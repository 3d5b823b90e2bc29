"""Recipe text: a recipe as the TOML that `parse_recipe` reads."""

import json
from collections.abc import Iterator
from typing import Any

from lensmill.training.recipe import Recipe


def recipe_text(recipe: Recipe, comment: str = "") -> str:
    """The TOML of a recipe, without the keys that nobody set; `comment` goes before it."""
    tables = recipe.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    stages = {f"stages.{_key(name)}": stage for name, stage in tables.pop("stages", {}).items()}
    parts = ("\n".join(_table(name, table)) for name, table in {**tables, **stages}.items())
    head = "".join(f"# {line}\n" for line in comment.splitlines())
    return head + "\n\n".join(parts) + "\n"


def _table(name: str, table: dict[str, Any]) -> Iterator[str]:
    yield f"[{name}]"
    yield from (f"{_key(key)} = {_value(value)}" for key, value in table.items())


def _value(value: Any) -> str:
    """Strings, numbers and truth are written as JSON has them; tables in one line."""
    if isinstance(value, dict):
        pairs = (f"{_key(key)} = {_value(each)}" for key, each in value.items())
        return "{ " + ", ".join(pairs) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _key(name: str) -> str:
    """A bare key, or a quoted one."""
    bare = name.isascii() and name.replace("-", "_").isidentifier()
    return name if bare else json.dumps(name, ensure_ascii=False)
