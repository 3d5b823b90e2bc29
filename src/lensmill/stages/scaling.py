"""Scaling: images and conditions as channels that a network can digest, in any survey's units."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from lensmill.physics.passband import matched, pass_band
from lensmill.quantities import Batch

KNEE = 50.0
"""S/N per pixel above which the noise of the object counts; between a visit's ~20 and a 10-year
coadd's ~400. It only sets the scale in which a network works."""

REDDEST = 100.0
"""Largest ratio, either way, of a galaxy's S/N in two neighbouring bands."""
TINY = 1e-3
"""S/N below which a band shows no galaxy at the centre."""


def in_sigmas(batch: Batch, name: str) -> Float[Tensor, "batch band y x"]:
    """The image `name` in units of its sky noise, float32."""
    return batch[name].float() / batch["sky_sigma"].float()[..., None, None]


def fwhm_pixels(batch: Batch) -> Float[Tensor, "batch band"]:
    """FWHM of the PSF in pixels."""
    return batch["psf_fwhm"].float() / batch["pixel_scale"].float()[:, None]


def band_limited(batch: Batch) -> Batch:
    """`batch` with `noisy`, if it is there, less what its PSF cannot have let through."""
    if "noisy" not in batch:
        return batch
    return {**batch, "noisy": pass_band(batch["noisy"].float(), fwhm_pixels(batch))}


def _middle(image: Float[Tensor, "batch c y x"], side: int) -> Tensor:
    """`side` pixels (or one more) about the centre along y and x; 0: all."""
    y, x = (max(0, (length - side) // 2) if side else 0 for length in image.shape[-2:])
    return image[..., y : image.shape[-2] - y, x : image.shape[-1] - x]


def smooth(image: Float[Tensor, "batch band y x"]) -> Float[Tensor, "batch band y x"]:
    """Mean over 3×3 pixels, edges repeated. (Sums of shifted images: on a CPU six times as fast as
    avg_pool2d.)"""
    padded = functional.pad(image, (1, 1, 1, 1), mode="replicate")
    columns = padded[..., :-2] + padded[..., 1:-1] + padded[..., 2:]
    return (columns[..., :-2, :] + columns[..., 1:-1, :] + columns[..., 2:, :]) / 9


def compressed(x: Tensor) -> Tensor:
    """asinh(x), to float32's rounding of 1. (On a CPU several times as fast as torch.asinh.)"""
    return torch.copysign(torch.log(x.abs() + torch.hypot(x, x.new_ones(()))), x)


def local_noise(image: Float[Tensor, "batch band y x"]) -> Float[Tensor, "batch band y x"]:
    """Rough noise of each pixel, in units of the sky's, of an image in those units."""
    return _noise_of(smooth(image))


def _noise_of(mean: Float[Tensor, "batch band y x"]) -> Float[Tensor, "batch band y x"]:
    return torch.sqrt(1 + mean.clamp(min=0) / KNEE)


def image_channels(
    image: Float[Tensor, "batch band y x"],
    mean: Float[Tensor, "batch band y x"],
    noise: Float[Tensor, "batch band y x"],
) -> Float[Tensor, "batch c y x"]:
    """Three views of an image in sky sigmas, in units of its local `noise`.

    The stretched image; its fine detail, less the `mean` about each pixel; and what is left after
    subtracting the image turned by 180°, which removes a centred elliptical galaxy and leaves the
    arcs.
    """
    detail = (image - mean) / noise
    turned = (image - image.flip(-1, -2)) / noise
    return torch.cat([compressed(image), detail, compressed(turned)], 1)


def condition_channels(batch: Batch, like: Float[Tensor, "batch c y x"]) -> Tensor:
    """ln of the PSF's FWHM in pixels, per band, and where each pixel lies, as constant maps."""
    y, x = like.shape[-2:]
    fwhm = torch.log(fwhm_pixels(batch))[..., None, None].expand(-1, -1, y, x)
    rows = (torch.arange(y, device=like.device) - (y - 1) / 2)[:, None].expand(y, x)
    columns = (torch.arange(x, device=like.device) - (x - 1) / 2)[None, :].expand(y, x)
    radius = torch.log1p(torch.hypot(rows, columns))
    where = torch.stack([columns / 10, rows / 10, radius]).expand(len(like), -1, -1, -1)
    return torch.cat([fwhm, where], 1)


def colour_channels(
    image: Float[Tensor, "batch band y x"], fwhm: Float[Tensor, "batch band"]
) -> Float[Tensor, "batch c y x"]:
    """Each band less the next one, scaled to the colour of the centre, in units of local noise.

    A galaxy of one colour leaves nothing, however bright, and arcs of another colour all of
    theirs (Gavazzi et al. 2014); the bands are brought to one PSF first. fwhm: pixels.
    """
    image = matched(image, fwhm)
    core = (image * centre(image, fwhm)).sum((-2, -1), keepdim=True).clamp(min=TINY)
    ratio = (core[:, :-1] / core[:, 1:]).clamp(1 / REDDEST, REDDEST)
    noise = local_noise(image)
    both = torch.hypot(noise[:, :-1], ratio * noise[:, 1:])
    return compressed((image[:, :-1] - ratio * image[:, 1:]) / both)


def centre(
    image: Float[Tensor, "batch band y x"], fwhm: Float[Tensor, "batch band"], width: float = 1.0
) -> Float[Tensor, "batch 1 y x"]:
    """Weights of the pixels about the centre: `width` times the widest PSF."""
    y, x = image.shape[-2:]
    rows = (torch.arange(y, device=image.device) - (y - 1) / 2)[:, None]
    columns = torch.arange(x, device=image.device) - (x - 1) / 2
    squared = (rows**2 + columns**2) / (width * fwhm.amax(1)[:, None, None, None]) ** 2
    return torch.exp(-4 * math.log(2) * squared)


def channels(
    batch: Batch, images: tuple[str, ...], colours: bool = False, side: int = 0
) -> Float[Tensor, "batch c y x"]:
    """All input channels of a stage that reads `images`; with their `colours` too.

    side: pixels along y and x (or one more), at the centre, that are looked at; 0: all.
    """
    views = [_view(batch, name) for name in images]
    if colours:
        stamps = [in_sigmas(batch, name) for name in images]
        views += [colour_channels(stamp, fwhm_pixels(batch)) for stamp in stamps]
    views = [_middle(view, side) for view in views]
    return torch.cat([*views, condition_channels(batch, views[0])], 1)


@dataclass(frozen=True)
class Seen:
    """What is made of an image before a network sees it."""

    image: Tensor  # kept, so that no other gets its id
    noise: Float[Tensor, "batch band y x"]
    channels: Float[Tensor, "batch c y x"]

    @staticmethod
    def of(batch: Batch, name: str) -> "Seen":
        stamp = in_sigmas(batch, name)
        mean = smooth(stamp)
        noise = _noise_of(mean)
        return Seen(batch[name], noise, image_channels(stamp, mean, noise))


_SHARED: ContextVar[dict[int, Seen] | None] = ContextVar("shared", default=None)


@contextmanager
def shared_views() -> Iterator[None]:
    """Meanwhile what one stage makes of an image serves the next ones too: for images that keep
    their `sky_sigma`, and that nobody changes in place."""
    token = _SHARED.set({})
    try:
        yield
    finally:
        _SHARED.reset(token)


def _view(batch: Batch, name: str) -> Float[Tensor, "batch c y x"]:
    """`image_channels` of the image `name`."""
    shared, image = _SHARED.get(), batch[name]
    if shared is None:
        return Seen.of(batch, name).channels
    if id(image) not in shared:
        shared[id(image)] = Seen.of(batch, name)
    return shared[id(image)].channels


def noise_of(batch: Batch, name: str) -> Float[Tensor, "batch band y x"]:
    """`local_noise` of the image `name`."""
    seen = (_SHARED.get() or {}).get(id(batch[name]))
    return local_noise(in_sigmas(batch, name)) if seen is None else seen.noise


def channel_count(bands: int, images: int, colours: bool = False) -> int:
    """How many channels `channels` makes."""
    return (3 * bands + colours * (bands - 1)) * images + bands + 3
