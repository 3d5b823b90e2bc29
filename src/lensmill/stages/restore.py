"""Restore: a stage from images to an image."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from lensmill.quantities import (
    CONDITIONS,
    NOISY,
    SKY_SIGMA,
    ZERO_POINT,
    Batch,
    Quantity,
    by_name,
)
from lensmill.stages.base import NetworkFactory, Stage
from lensmill.stages.scaling import band_limited, channel_count, channels, in_sigmas, local_noise

FLOOR = 1e-3
"""Mean squared error, in sky variances, below which an image is as good as the loss asks for."""

Image = Float[Tensor, "batch band y x"]
KNEE = 1 / 816
"""Of the largest value of the observed image: where the paper's pictures turn logarithmic."""
TINY = 1e-4
"""Mean squared error of the stretched image that no picture shows: 1/3 of an eight-bit level."""


def picture_knee(truth: Batch) -> Float[Tensor, "batch band 1 1"]:
    """The light, in sky sigmas, at which a picture turns from linear to logarithmic: the same
    flux in every band."""
    unit = 10 ** (0.4 * (truth["zero_point"].float() - 30.0))
    flux = truth["noisy"].float() / unit[..., None, None]
    knee = KNEE * flux.amax((1, 2, 3), keepdim=True)
    return knee * (unit / truth["sky_sigma"].float())[..., None, None]


class Restore(Stage, ABC):
    """Learns the image `target`, in units of the sky's noise.

    The loss is ln of each image's mean squared error, so every image counts by its decibels,
    bright or faint. A share `stretched` of it is that of the image as a picture shows it, where
    light far below the noise counts too.

    `band_limited`: what the PSF cannot have let through is taken out of `noisy` first, so that
    the network is left with noise as smooth as light. `colours`: it sees what is left of each
    band when the next one is subtracted in the colour of the centre.
    """

    target: Quantity

    def __init__(
        self,
        network: NetworkFactory,
        bands: tuple[str, ...],
        images: tuple[str, ...],
        stretched: float,
        band_limited: bool,
        colours: bool,
    ) -> None:
        super().__init__()
        self.bands, self.images = tuple(bands), tuple(images)
        self.stretched, self.band_limited, self.colours = stretched, band_limited, colours
        self.reads = (*(by_name(name) for name in self.images), *CONDITIONS)
        self.writes = (self.target,)
        self.learns = (self.target, SKY_SIGMA, *((NOISY, ZERO_POINT) if stretched else ()))
        count = channel_count(len(self.bands), len(self.images), colours)
        self.network = network(count, len(self.bands))

    def forward(self, batch: Batch) -> Float[Tensor, "batch band y x"]:
        batch = band_limited(batch) if self.band_limited else batch
        first = in_sigmas(batch, self.images[0])
        output = self.network(channels(batch, self.images, self.colours)).float()
        return self.restored(first, local_noise(first) * output)

    @abstractmethod
    def restored(self, first: Image, output: Image) -> Image:
        """The target, of the first image read and the network's output, all in sky sigmas."""

    def decode(self, output: Tensor, batch: Batch) -> Batch:
        return {self.target.name: output * batch["sky_sigma"].float()[..., None, None]}

    def loss(self, output: Tensor, truth: Batch) -> Float[Tensor, " batch"]:
        expected = in_sigmas(truth, self.target.name)
        loss = torch.log((output - expected).square().mean((1, 2, 3)) + FLOOR)
        if not self.stretched:
            return loss
        knee = picture_knee(truth)
        error = torch.asinh(output / knee) - torch.asinh(expected / knee)
        return torch.lerp(loss, torch.log(error.square().mean((1, 2, 3)) + TINY), self.stretched)

    def metrics(self, predicted: Batch, truth: Batch) -> dict[str, Float[Tensor, " batch"]]:
        name = self.target.name
        error = in_sigmas({**truth, name: predicted[name]}, name) - in_sigmas(truth, name)
        return {f"{name}_rms_error_sigma": error.square().mean((1, 2, 3)).sqrt()}
