"""Noise: kept systems observed anew, so that a network cannot learn their noise by heart."""

import torch

from lensmill.physics.noise import observe
from lensmill.quantities import CLEAN, NOISY, SKY_SIGMA
from lensmill.training.pool import Pair, Prepare


def renewing(feed: Prepare) -> Prepare:
    """`feed`, with fresh noise in `noisy` wherever the truth holds the image without it.

    Drawn by torch's own generator, which a training seeds by the step. What is made of the old
    noise (a stage's output) is not made again: only stages that read `noisy` itself have use of it.
    ValueError where the truth holds no clean image.
    """

    def fed(step: int) -> Pair:
        batch, truth = feed(step)
        if CLEAN.name not in truth or NOISY.name not in batch:
            raise ValueError(
                "fresh_noise is for what reads noisy and learns clean, as Denoise does"
            )
        clean, sigma = truth[CLEAN.name], {**batch, **truth}[SKY_SIGMA.name]
        noisy = {NOISY.name: observe(clean, sigma, torch.randn_like(clean))}
        return {**batch, **noisy}, {**truth, **(noisy if NOISY.name in truth else {})}

    return fed
