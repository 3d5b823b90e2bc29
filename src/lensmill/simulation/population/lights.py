"""Lights: the light models that a recipe can choose, by name."""

from typing import Any

from lensmill.simulation.population import cosmodc2, light
from lensmill.simulation.population.light import Model
from lensmill.simulation.population.matched import Matched

LENS: dict[str, Model] = {
    "mixed": light.mixed,
    "de_vaucouleurs": light.de_vaucouleurs,
    "cosmodc2": cosmodc2.lens,
}
SOURCE: dict[str, Model] = {"exponential": light.exponential, "cosmodc2": cosmodc2.source}


def light_model(role: str, choice: str | dict[str, Any]) -> Model:
    """The model of a recipe's `lens_light` or `source_light`: a name, or the keys of `Matched`."""
    if isinstance(choice, dict):
        return Matched.of(role, choice)
    models = LENS if role == "lens" else SOURCE
    if choice not in models:
        choices = f"{', '.join(models)}, or {{ table = ... }}"
        raise ValueError(f"{role}_light: no light {choice!r}; choices: {choices}")
    return models[choice]
