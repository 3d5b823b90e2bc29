"""Structural similarity of pictures (SSIM; Wang et al. 2004)."""

import torch
from jaxtyping import Float
from torch import Tensor

SIGMA, REACH = 1.5, 5
"""Of the Gaussian window, in pixels: its width, and how far it goes on either side."""
STABLE = ((0.01 * 255) ** 2, (0.03 * 255) ** 2)
"""What keeps quotients of means and of variances apart from 0/0, for pictures from 0 to 255."""

Picture = Float[Tensor, "batch band y x"]


def ssim(picture: Picture, expected: Picture) -> Float[Tensor, " batch"]:
    """Mean structural similarity of eight-bit pictures, 1 where they are the same.

    Of every pixel whose window of 11 × 11 lies in the picture, and every band; in a picture that
    is smaller, of a window as wide as it. Variances are those of the window's weights.
    """
    rows, columns = (_windows(side, picture) for side in picture.shape[-2:])
    first, second = picture.double(), expected.double()

    def blurred(image: Tensor) -> Tensor:
        return rows @ image @ columns.mT

    mean, other = blurred(first), blurred(second)
    variance = blurred(first * first) - mean * mean
    others = blurred(second * second) - other * other
    shared = blurred(first * second) - mean * other
    low, high = STABLE
    alike = (2 * mean * other + low) * (2 * shared + high)
    either = (mean * mean + other * other + low) * (variance + others + high)
    return (alike / either).mean((1, 2, 3))


def _windows(side: int, like: Tensor) -> Float[Tensor, "window pixel"]:
    """A row of weights for each window along an axis of `side` pixels."""
    reach = min(REACH, (side - 1) // 2)
    pixels = torch.arange(side, device=like.device, dtype=torch.float64)
    off = pixels - pixels[reach : side - reach, None]
    weight = torch.exp(-0.5 * (off / SIGMA) ** 2) * (off.abs() <= reach)
    return weight / weight.sum(1, keepdim=True)
