"""Counter-images: do the faint images opposite of the arcs outlive the deblending?

The paper's named failure. An image counts as a counter-image where it lies on the other side of
the lens from the brightest arc. That is asked of the geometry and not of connected regions above a
threshold: at a ground-based survey's seeing the images of most lenses run together, and how many
regions there are then depends on the threshold more than on the lens.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from lensmill.grid import Grid

OPENING = 0.5
"""Cosine of the largest angle from straight across the lens: 60°, for arcs reach far around it."""
FOOTPRINT = 0.1
"""Brightness, relative to the peak, down to which pixels belong to the source's image."""

Image = Float[Tensor, "batch band y x"]
Mask = Bool[Tensor, "batch y x"]


@dataclass(frozen=True)
class CounterImage:
    """Where the counter-image is, and whether there is one."""

    region: Mask
    exists: Bool[Tensor, " batch"]


def counter_image(
    source: Image,
    sky_sigma: Float[Tensor, "batch band"],
    theta_E: Float[Tensor, " batch"],
    psf_fwhm: Float[Tensor, " batch"],
    pixel_scale: Float[Tensor, " batch"],
) -> CounterImage:
    """The counter-image in a true source image, of a lens at the stamp's centre.

    Its region: nearer to the centre than θ_E + FWHM/2 (arcsec, the PSF's), and within 60° of the
    direction opposite to that of the brightest pixel. It exists where the region's brightest pixel
    is a peak of the image, not the wing of an arc. All bands together, in sky sigmas.
    """
    bright = brightness(source, sky_sigma)
    x, y = _coordinates(bright, pixel_scale)
    peak = bright.flatten(1).argmax(1)[:, None]
    to_x, to_y = (axis.flatten(1).gather(1, peak)[..., None] for axis in (x, y))
    distance, reach = torch.hypot(x, y), (theta_E + 0.5 * psf_fwhm)[:, None, None]
    away = -(x * to_x + y * to_y) > OPENING * distance * torch.hypot(to_x, to_y)
    region = (distance < reach) & away
    inside = torch.where(region, bright, -torch.inf).flatten(1)
    place = inside.argmax(1)[:, None]
    is_peak = _peaks(bright).flatten(1).gather(1, place)[:, 0]
    return CounterImage(region, is_peak & (inside.gather(1, place)[:, 0] > 0))


def brightness(image: Image, sky_sigma: Float[Tensor, "batch band"]) -> Float[Tensor, "batch y x"]:
    """All bands together, each in its sky sigmas."""
    return (image.double() / sky_sigma.double()[..., None, None]).sum(1)


def footprint(source: Image, sky_sigma: Float[Tensor, "batch band"]) -> Mask:
    """Where a true source image is brighter than a tenth of its peak; nowhere if it is empty."""
    bright = brightness(source, sky_sigma)
    peak = bright.amax((1, 2), keepdim=True)
    return (bright >= FOOTPRINT * peak) & (peak > 0)


def flux_ratio(
    image: Image, source: Image, sky_sigma: Float[Tensor, "batch band"], region: Mask
) -> Float[Tensor, " batch"]:
    """Flux of `image` over that of the true source in `region`; NaN where the truth has none."""
    image_flux, source_flux = (
        (brightness(each, sky_sigma) * region).sum((1, 2)) for each in (image, source)
    )
    return torch.where(source_flux > 0, image_flux / source_flux, torch.nan)


def _coordinates(
    bright: Float[Tensor, "batch y x"], pixel_scale: Float[Tensor, " batch"]
) -> tuple[Float[Tensor, "batch y x"], Float[Tensor, "batch y x"]]:
    """(x, y) of every pixel from the stamp's centre, arcsec."""
    y, x = bright.shape[1:]
    pixels = Grid((y, x), 1.0).coordinates(bright.device, bright.dtype)
    across, up = (axis * pixel_scale[:, None, None] for axis in pixels)
    return across, up


def _peaks(bright: Float[Tensor, "batch y x"]) -> Mask:
    """Pixels as bright as any of their eight neighbours, or brighter."""
    return bright >= functional.max_pool2d(bright[:, None], 3, stride=1, padding=1)[:, 0]
