"""Advice: which knob of the recipe brings the training simulation closer to the user's data."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lensmill.training.recipe import Recipe, SimulationRecipe, TogetherRecipe, TrainingRecipe

OUTSIDE = 0.1
"""Share of objects outside the training's range from which a trait is worth a word. That theirs is
a narrow part of that range is as it should be."""
FINE_TUNING = TrainingRecipe(steps=4000, learning_rate=2e-4)
"""A tenth of the usual learning rate, from trained weights on."""

KNOBS = {
    "pixel_scale": "pixel_scale, a range that holds yours",
    "seeing": "psf_fwhm, a range that holds yours (or visits, psf_images)",
    "seeing_pixels": "psf_fwhm and pixel_scale: the PSF in pixels is what a network sees",
    "log_snr": "depth (the noise), or the population's magnitudes and brightening (the light)",
    "colour": "survey: zero point, sky and exposures of each band; then the population's colours",
    "size": "population and lens_light: the sizes of the galaxies",
    "outer_light": "companions, satellites and field: the neighbours",
    "sky_level": "none: look for a background that is left in your images",
    "sky_rms": "none: look at your variance maps, the noise is not what they say",
    "sky_correlation": "resampled = true: neighbouring pixels share noise, as in coadds",
}
FLAGS = {
    "psf_assumed": "the PSF was assumed: give --psf-fwhm or PSF images to the run",
    "sky_sigma_estimated": "the noise was estimated from the pixels: give variance maps if you can",
    "stated_noise_disagrees": "stated noise was not believed: check the unit of the variance maps",
    "stamp_size_outside_training": "cut stamps of a trained size, or train with your shape",
}


def advise(traits: Mapping[str, Mapping[str, Any]], flags: Mapping[str, float]) -> list[str]:
    """Sentences, the largest difference first. flags: share of the objects that have each."""
    told = sorted(traits, key=lambda name: (-traits[name]["outside"], -traits[name]["distance"]))
    lines = [_sentence(name, traits[name]) for name in told if unlike(traits[name]) and _knob(name)]
    shares = [(flag, flags[flag]) for flag in FLAGS if flags.get(flag, 0) > OUTSIDE]
    return lines + [f"{share:.0%} of the objects: {FLAGS[flag]}" for flag, share in shares]


def unlike(trait: Mapping[str, Any]) -> bool:
    """Does this trait of the user's objects leave the training's range?"""
    return bool(trait["outside"] > OUTSIDE)


def _knob(name: str) -> str | None:
    return KNOBS.get("colour" if name.startswith("colour_") else name)


def _sentence(name: str, trait: Mapping[str, Any]) -> str:
    yours, trained = (f"{trait[side][1]:.3g}" for side in ("yours", "training"))
    where = f"median {yours} against {trained} in training, {trait['outside']:.0%} outside it"
    return f"{name}: {where}; knob: {_knob(name)}"


def closer(
    recipe: Recipe, traits: Mapping[str, Mapping[str, Any]], stamp: tuple[int, int]
) -> Recipe:
    """`recipe` with seeing, pixel scale and stamps that hold the user's, to fine-tune with.

    What cannot be read off the images (magnitudes, neighbours, colours) is left as it is.
    """
    simulation = recipe.simulation
    changed: dict[str, Any] = {"shape": _holding_shape(simulation.shape, stamp)}
    if unlike(traits["pixel_scale"]):
        changed["pixel_scale"] = _holding(simulation.pixel_scale, traits["pixel_scale"])
    if unlike(traits["seeing"]) and not simulation.visits and not simulation.psf_images:
        fwhm = _in_units_of(simulation.seeing, traits["seeing"])
        changed["psf_fwhm"] = _holding(simulation.psf_fwhm, fwhm)
    fine_tuning = TogetherRecipe(stages=tuple(recipe.stages), training=FINE_TUNING)
    return Recipe(
        simulation=SimulationRecipe(**{**simulation.model_dump(), **changed}),
        stages=recipe.stages,
        together=recipe.together or fine_tuning,
    )


def _in_units_of(factor: float, trait: Mapping[str, Any]) -> dict[str, list[float]]:
    """The percentiles of `trait` before the simulator multiplied by `factor`."""
    return {side: [value / factor for value in trait[side]] for side in ("yours", "training")}


def _holding(pair: tuple[float, float] | None, trait: Mapping[str, Any]) -> tuple[float, float]:
    """The range `pair`, widened to the user's central 90 %; theirs and training's without one."""
    low, _, high = trait["yours"]
    least, most = pair or (trait["training"][0], trait["training"][2])
    return float(np.round(min(low, least), 3)), float(np.round(max(high, most), 3))


def _holding_shape(
    shape: tuple[tuple[int, int], tuple[int, int]], stamp: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    smallest, largest = (
        tuple(map(pick, pair, stamp)) for pick, pair in zip((min, max), shape, strict=True)
    )
    return smallest, largest  # type: ignore[return-value]
