"""Scaling: images and conditions as channels that a network can digest, in any survey's units."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from lensmill.physics.passband import pass_band
from lensmill.quantities import Batch

KNEE = 50.0
"""S/N per pixel above which the noise of the object counts; between a visit's ~20 and a 10-year
coadd's ~400. It only sets the scale in which a network works."""


def in_sigmas(batch: Batch, name: str) -> Float[Tensor, "batch band y x"]:
    """The image `name` in units of its sky noise, float32."""
    return batch[name].float() / batch["sky_sigma"].float()[..., None, None]


def band_limited(batch: Batch) -> Batch:
    """`batch` with `noisy`, if it is there, less what its PSF cannot have let through."""
    if "noisy" not in batch:
        return batch
    pixels = batch["psf_fwhm"].float() / batch["pixel_scale"].float()[:, None]
    return {**batch, "noisy": pass_band(batch["noisy"].float(), pixels)}


def smooth(image: Float[Tensor, "batch band y x"]) -> Float[Tensor, "batch band y x"]:
    """Mean over 3×3 pixels, edges repeated."""
    return functional.avg_pool2d(functional.pad(image, (1, 1, 1, 1), mode="replicate"), 3, 1)


def local_noise(image: Float[Tensor, "batch band y x"]) -> Float[Tensor, "batch band y x"]:
    """Rough noise of each pixel, in units of the sky's, of an image in those units."""
    return torch.sqrt(1 + smooth(image).clamp(min=0) / KNEE)


def image_channels(image: Float[Tensor, "batch band y x"]) -> Float[Tensor, "batch c y x"]:
    """Three views of an image in sky sigmas, in units of local noise.

    The stretched image; its fine detail; and what is left after subtracting the image turned by
    180°, which removes a centred elliptical galaxy and leaves the arcs.
    """
    noise = local_noise(image)
    detail = (image - smooth(image)) / noise
    turned = (image - image.flip(-1, -2)) / noise
    return torch.cat([torch.asinh(image), detail, torch.asinh(turned)], 1)


def condition_channels(batch: Batch, like: Float[Tensor, "batch c y x"]) -> Tensor:
    """ln of the PSF's FWHM in pixels, per band, and where each pixel lies, as constant maps."""
    y, x = like.shape[-2:]
    pixels = batch["psf_fwhm"].float() / batch["pixel_scale"].float()[:, None]
    fwhm = torch.log(pixels)[..., None, None].expand(-1, -1, y, x)
    rows = (torch.arange(y, device=like.device) - (y - 1) / 2)[:, None].expand(y, x)
    columns = (torch.arange(x, device=like.device) - (x - 1) / 2)[None, :].expand(y, x)
    radius = torch.log1p(torch.hypot(rows, columns))
    where = torch.stack([columns / 10, rows / 10, radius]).expand(len(like), -1, -1, -1)
    return torch.cat([fwhm, where], 1)


def channels(batch: Batch, images: tuple[str, ...]) -> Float[Tensor, "batch c y x"]:
    """All input channels of a stage that reads `images`."""
    views = [image_channels(in_sigmas(batch, name)) for name in images]
    return torch.cat([*views, condition_channels(batch, views[0])], 1)


def channel_count(bands: int, images: int) -> int:
    """How many channels `channels` makes."""
    return 3 * bands * images + bands + 3
