"""Recipe text: a recipe as the TOML that `parse_recipe` reads."""

import json
from typing import Any

from lensmill.training.recipe import Recipe


def recipe_text(recipe: Recipe, comment: str = "") -> str:
    """`recipe` as TOML, what is None left out; `comment` goes before it."""
    content = recipe.model_dump(mode="json", exclude_none=True)
    stages = {f"stages.{name}": stage for name, stage in content.pop("stages").items()}
    tables = {"simulation": content.pop("simulation"), **stages, **content}
    head = "".join(f"# {line}\n" for line in comment.splitlines())
    return head + "".join(_table(name, values) for name, values in tables.items())


def _table(name: str, values: dict[str, Any]) -> str:
    lines = [f"{key} = {_value(value)}" for key, value in values.items()]
    return "\n".join(["", f"[{name}]", *lines, ""])


def _value(value: Any) -> str:
    if isinstance(value, dict):
        pairs = (f"{_key(key)} = {_value(each)}" for key, each in value.items() if each is not None)
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value, ensure_ascii=False)


def _key(name: str) -> str:
    plain = name.replace("_", "").replace("-", "")
    return name if plain.isalnum() and plain.isascii() else json.dumps(name)
