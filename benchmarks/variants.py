"""Variants: one recipe of the four stages, trained in several ways."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lensmill.evaluation.modules import STAGES
from lensmill.training.build import build_stage
from lensmill.training.recipe import Part, Recipe, StageRecipe, TogetherRecipe, TrainingRecipe
from lensmill.training.together import NAME

HEADS = STAGES[2:]
CHANNELS = ("unmixed", "colours")
"""Keywords of stages that add channels."""
TUNING = 0.2
"""Of a stage's learning rate, for the whole chain where the recipe does not say."""
OF_IMAGES = ("display_psnr", "counter_images")


@dataclass(frozen=True)
class Variant:
    """A recipe, what of it is trained, in order, and each training's share of the time."""

    recipe: Recipe
    shares: dict[str, float]

    def has(self, figure: str) -> bool:
        """Does a figure of the evaluation say anything of what was trained here?"""
        if figure == "denoised_display_psnr":
            return "denoise" in self.shares
        return "deblend" in self.shares or not any(word in figure for word in OF_IMAGES)


def variants(recipe: Recipe) -> dict[str, Variant]:
    """Every variant of a recipe of the four stages."""
    alone = with_upstream(recipe, {})
    both = with_upstream(recipe, {"deblend": STAGES[:1], **dict.fromkeys(HEADS, STAGES[:2])})
    no_denoise = with_upstream(recipe, dict.fromkeys(HEADS, STAGES[1:2]))
    return {
        "separate": Variant(alone, evenly(STAGES)),
        "on_upstream": Variant(on_nothing_else(both), evenly(STAGES)),
        "on_both": Variant(both, evenly(STAGES)),
        "end_to_end": Variant(chained(both), {**evenly(STAGES, 0.5), NAME: 0.5}),
        "direct": Variant(reading(alone, HEADS, lambda images: ["noisy"]), evenly(HEADS)),
        "without_denoise": Variant(
            reading(no_denoise, STAGES[1:], noisy_for_clean), evenly(STAGES[1:])
        ),
        **{
            f"without_{channel}": Variant(without(both, channel), evenly(STAGES))
            for channel in CHANNELS
            if any(stage.stage.keywords.get(channel) for stage in both.stages.values())
        },
    }


def evenly(names: tuple[str, ...], share: float = 1.0) -> dict[str, float]:
    """The time divided evenly."""
    return dict.fromkeys(names, share / len(names))


def with_upstream(recipe: Recipe, upstream: dict[str, tuple[str, ...]]) -> Recipe:
    """The four stages alone, each trained after those that `upstream` says."""
    stages = {
        name: recipe.stages[name].model_copy(update={"upstream": upstream.get(name, ())})
        for name in STAGES
    }
    return recipe.model_copy(update={"stages": stages})


def changed(recipe: Recipe, change: Callable[[str, StageRecipe], dict[str, Any]]) -> Recipe:
    """Every stage with other keywords."""
    stages = {
        name: each.model_copy(
            update={"stage": Part(**{**each.stage.model_dump(), **change(name, each)})}
        )
        for name, each in recipe.stages.items()
    }
    return recipe.model_copy(update={"stages": stages})


def on_nothing_else(recipe: Recipe) -> Recipe:
    """No stage with an upstream sees the truth as well."""
    stages = {
        name: each.model_copy(update={"upstream_share": 1.0})
        for name, each in recipe.stages.items()
    }
    return recipe.model_copy(update={"stages": stages})


def reading(
    recipe: Recipe, names: tuple[str, ...], images: Callable[[list[str]], list[str]]
) -> Recipe:
    """The stages `names` look at other images, made from the list of their own."""

    def change(name: str, stage: StageRecipe) -> dict[str, Any]:
        own: Any = build_stage(stage)
        return {"images": images(list(own.images))} if name in names else {}

    return changed(recipe, change)


def noisy_for_clean(images: list[str]) -> list[str]:
    """The observed image in the place of the denoised one."""
    return list(dict.fromkeys("noisy" if image == "clean" else image for image in images))


def without(recipe: Recipe, channel: str) -> Recipe:
    """No stage sees these channels."""
    return changed(
        recipe, lambda name, stage: {channel: False} if channel in stage.stage.keywords else {}
    )


def chained(recipe: Recipe) -> Recipe:
    """Trained on as one chain too; as the recipe says, or gently."""
    if recipe.together is not None:
        return recipe
    own = recipe.stages["deblend"].training
    training = TrainingRecipe(
        batch=own.batch, learning_rate=TUNING * own.learning_rate, precision=own.precision
    )
    return recipe.model_copy(update={"together": TogetherRecipe(training=training)})
