"""Schedule: the learning rate over a training."""

import math

from lensmill.training.recipe import TrainingRecipe


def learning_rate(share: float, recipe: TrainingRecipe) -> float:
    """Linear rise, then half a cosine down to 1 % of the peak, or the recipe's halvings.

    share: of the training that is done.
    """
    if share < recipe.warmup:
        return recipe.learning_rate * share / recipe.warmup
    decay = (share - recipe.warmup) / (1 - recipe.warmup)
    if recipe.halvings:
        return recipe.learning_rate * 0.5 ** int(decay * recipe.halvings)
    return recipe.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * decay)))
