"""Bad pixels: where a simulated image is bad, and how that is filled.

Half of the bad pixels lie alone (dead or hot), a quarter in bad columns, a quarter in streaks as
cosmic rays leave them. What they held does not matter: they are filled as those of a survey are.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from lensmill.physics.bad_pixels import fill_bad
from lensmill.simulation.counter import uniform

STREAM = 13
ALONE, IN_COLUMNS, IN_STREAKS = 0.5, 0.25, 0.25
SHORTEST, LONGEST = 3, 15
"""Pixels of a streak, uniform."""
PAD = LONGEST // 2
"""Streaks may begin this far off the stamp."""


def fill_drawn_bad_pixels(
    noisy: Float[Tensor, "batch band y x"], seed: int, indices: Int[Tensor, " batch"], share: float
) -> Float[Tensor, "batch band y x"]:
    """`noisy` with a `share` of its pixels bad and filled, differing from band to band."""
    if not share:
        return noisy
    _, bands, *shape = noisy.shape
    bad = draw_bad_pixels(seed, indices, (bands, *shape), share).reshape(-1, *shape)
    images = noisy.flatten(0, 1).cpu().numpy()
    filled = np.stack([fill_bad(*each) for each in zip(images, bad, strict=True)])
    return torch.from_numpy(filled).to(noisy).view_as(noisy)


def draw_bad_pixels(
    seed: int, indices: Int[Tensor, " batch"], shape: tuple[int, ...], share: float
) -> Bool[np.ndarray, "batch band y x"]:
    """Which pixels are bad, `shape` (band, y, x): a function of (seed, index, shape) alone."""
    bands, y, x = shape
    padded = (bands, y + 2 * PAD, x + 2 * PAD)
    u = uniform(seed, indices.cpu(), STREAM, int(np.prod(padded)) + bands * x).numpy()
    pixels, columns = np.split(u, [int(np.prod(padded))], axis=1)
    pixels = pixels.reshape(-1, *padded)
    bad = _streaks(pixels, share * IN_STREAKS)[..., PAD:-PAD, PAD:-PAD]
    bad |= pixels[..., PAD:-PAD, PAD:-PAD] > 1 - share * ALONE
    return bad | (columns.reshape(-1, bands, 1, x) < share * IN_COLUMNS)


def _streaks(u: NDArray[np.float64], share: float) -> NDArray[np.bool_]:
    """Straight lines of a pixel's width about the pixels with the smallest numbers of `u`.

    What a number is less than decides; what it is beside that, the direction and the length.
    """
    chance = 2 * share / (SHORTEST + LONGEST)
    *image, y, x = np.nonzero(u < chance)
    angle, rest = np.divmod(u[u < chance] / chance * 64, 1)
    length = SHORTEST + np.floor(rest * (LONGEST - SHORTEST + 1))
    along_x, along_y = np.cos(angle * np.pi / 64), np.sin(angle * np.pi / 64)
    longest = np.maximum(np.abs(along_x), np.abs(along_y))
    steps = np.arange(LONGEST) - (length[:, None] - 1) // 2
    inside = np.arange(LONGEST) < length[:, None]
    places = [
        np.rint(start[:, None] + steps * (along / longest)[:, None]).astype(int)
        for start, along in ((y, along_y), (x, along_x))
    ]
    for place, size in zip(places, u.shape[-2:], strict=True):
        inside &= (place >= 0) & (place < size)
    bad = np.zeros(u.shape, bool)
    rows = [np.broadcast_to(axis[:, None], inside.shape)[inside] for axis in image]
    bad[(*rows, *(place[inside] for place in places))] = True
    return bad
