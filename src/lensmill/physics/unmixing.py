"""Unmixing: a source of one colour, parted from a galaxy of another that is even about its centre.

Two galaxies of one colour each have two colours in all, so in matched bands every pixel is lens
light times the lens' colour plus source light times the source's. Turned by 180° and subtracted,
the image keeps only what is not even: the source, hence its colour; and at some place far from
both centres there is next to no source, which tells the lens' colour. With both, the source follows
(compare Joseph et al. 2016, who learn the colours from all pixels).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lensmill.physics.passband import matched

DEPTHS = (0.01, 0.1)
"""Of the lens' peak: how faint pixels may be that tell its colour. Farther out there is less of the
source, and more noise."""
KNEE = 50.0
"""Light, in sky sigmas, whose own noise is the sky's: where bright pixels count less."""
TINY = 1e-6

Image = Float[Tensor, "batch band y x"]


@dataclass(frozen=True)
class Unmixed:
    """An image's source, as two colours tell it, and what no two colours tell; sky sigmas."""

    guesses: tuple[Float[Tensor, "batch band y x"], ...]
    """The source at the widest PSF, once for each of `DEPTHS`."""
    rest: Float[Tensor, "batch 1 y x"]
    """Length of what is of neither colour: noise, and galaxies of many colours."""


def unmixed(image: Image, fwhm: Float[Tensor, "batch band"]) -> Unmixed:
    """The source in an `image` in sky sigmas; fwhm: pixels.

    Of an image without noise, of galaxies as above, only pixels without any source are wanting.
    Gradients do not pass through the colours. ValueError where there is one band.
    """
    if image.shape[1] < 2:
        raise ValueError("unmixing needs two bands at least: a colour tells source from lens")
    even = matched(image.float(), fwhm)
    colour, other = (axis[..., None, None] for axis in _axes(even.detach()))
    source, lens = ((even * axis).sum(1, keepdim=True) for axis in (colour, other))
    rest = (even - colour * source - other * lens).square().sum(1, keepdim=True)
    return Unmixed(
        tuple(colour * (source - _share(source, lens, depth) * lens) for depth in DEPTHS),
        torch.sqrt(rest + TINY**2),
    )


def _axes(image: Image) -> tuple[Tensor, Tensor]:
    """Unit vectors (batch × band): the source's colour; the core's, less what it has of that."""
    noise = (1 + image.clamp(min=0) / KNEE).mean(1, keepdim=True)
    odd = (image - image.flip(-1, -2)) / (noise + noise.flip(-1, -2)).sqrt()
    flat = odd.flatten(2).double()
    source = torch.linalg.eigh(flat @ flat.mT).eigenvectors[..., -1]
    source = source * torch.where(source.sum(1, keepdim=True) < 0, -1.0, 1.0)
    rows, columns = (slice((side - 1) // 2, side // 2 + 1) for side in image.shape[-2:])
    core = image[..., rows, columns].mean((-2, -1)).double()
    core = core / core.norm(dim=1, keepdim=True).clamp(min=TINY)
    rest = core - source * (source * core).sum(1, keepdim=True)
    lens = rest / rest.norm(dim=1, keepdim=True).clamp(min=TINY)
    return source.to(image.dtype), lens.to(image.dtype)


@torch.no_grad()
def _share(
    source: Float[Tensor, "batch 1 y x"], lens: Float[Tensor, "batch 1 y x"], depth: float
) -> Float[Tensor, "batch 1 1 1"]:
    """What of the lens is in `source`: the least ratio over pixels as bright as `depth` of it."""
    bright = lens > depth * lens.amax((2, 3), keepdim=True)
    ratio = torch.where(bright, source / lens.clamp(min=TINY), torch.inf).amin((2, 3), keepdim=True)
    return torch.where(ratio.isfinite(), ratio, 0.0)
