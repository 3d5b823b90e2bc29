"""Resampling: noise as a survey's coadds have it, whose pixels were made of others by Lanczos-3.

A shift by part of a pixel makes neighbours share their noise: averaged over shifts, pixels next to
each other correlate by +0.1 and the ones after by −0.07, as those of DES do, and a pixel's scatter,
from which the noise of a survey's image is usually told, is less than that of larger patches by a
tenth.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lensmill.simulation.counter import uniform

STREAM = 23
ORDER = 3
TAPS = range(1 - ORDER, ORDER + 1)


def lanczos(shift: Float[Tensor, "*lead"]) -> Float[Tensor, "*lead tap"]:
    """Weights of the pixels `TAPS` for a place `shift` (0 to 1) pixels on; their sum is 1."""
    away = torch.tensor(TAPS).to(shift) - shift[..., None]
    weights = torch.sinc(away) * torch.sinc(away / ORDER) * (away.abs() < ORDER)
    return weights / weights.sum(-1, keepdim=True)


def draw_weights(
    seed: int, indices: Int[Tensor, " batch"], bands: int
) -> Float[Tensor, "batch band axis tap"]:
    """Weights along y and x of every band, shifted by any part of a pixel."""
    shift = uniform(seed, indices, STREAM, 2 * bands).float()
    return lanczos(shift.unflatten(1, (bands, 2)))


def resampled(
    noise: Float[Tensor, "batch band y x"], weights: Float[Tensor, "batch band axis tap"]
) -> Float[Tensor, "batch band y x"]:
    """Noise on pixels that were shifted; what leaves at one edge comes in at the other."""
    for axis, along in ((-2, weights[:, :, 0]), (-1, weights[:, :, 1])):
        rolled = (torch.roll(noise, -tap, axis) for tap in TAPS)
        parts = zip(along.unbind(-1), rolled, strict=True)
        noise = torch.stack([weight[..., None, None] * part for weight, part in parts]).sum(0)
    return noise


def scatter(weights: Float[Tensor, "batch band axis tap"]) -> Float[Tensor, "batch band"]:
    """Of a pixel of resampled white noise, relative to what it was."""
    return weights.square().sum(-1).prod(-1).sqrt()
