"""Noise of a coadded exposure: Poisson of object and sky, read noise.

Randomness comes in as standard normals, so these are pure functions of their arguments.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def sky_sigma(
    sky: Float[Tensor, "..."], read_noise: Float[Tensor, "..."], reads: Float[Tensor, "..."]
) -> Tensor:
    """Noise of empty sky in e⁻ per pixel: √(sky + reads · read_noise²).

    sky: e⁻ per pixel over all exposures. read_noise: e⁻ per read. reads: how many reads.
    """
    return torch.sqrt(sky + reads * read_noise**2)


def poisson_like(mean: Float[Tensor, "*a"], normal: Float[Tensor, "*a"]) -> Tensor:
    """Counts with the mean, variance and skewness of Poisson(mean), from standard normals.

    Cornish–Fisher to second order: λ + √λ z + (z² − 1)/6. Its variance exceeds λ by 1/18; use it
    for λ ≳ 20, as the sky of every survey here gives.
    """
    return mean + torch.sqrt(torch.clamp(mean, min=0)) * normal + (normal**2 - 1) / 6


def observe(
    mean: Float[Tensor, "batch band y x"],
    sky_sigma: Float[Tensor, "batch band"],
    normal: Float[Tensor, "batch band y x"],
) -> Float[Tensor, "batch band y x"]:
    """Background-subtracted image in e⁻ of a noiseless image `mean` (e⁻).

    sky_sigma: e⁻, of sky and read noise together; the read noise joins the Poisson part as an
    equivalent sky, which is exact in mean and variance.
    """
    pedestal = (sky_sigma**2)[..., None, None]
    counts = poisson_like(torch.clamp(mean, min=0) + pedestal, normal)
    return counts - pedestal
