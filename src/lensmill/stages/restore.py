"""Restore: a stage from images to an image."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from lensmill.physics.display import calibrated, shading
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
from lensmill.stages.scaling import band_limited, channel_count, channels, in_sigmas, noise_of

FLOOR = 1e-4
"""Mean squared error, in sky variances, below which an image is as good as the loss asks for: a
quarter of the paper's systems' information limit (median; `lensmill.evaluation.limits`)."""

Image = Float[Tensor, "batch band y x"]
LEVEL = 1e-7
"""Mean squared error of a picture from 0 to 1 that eight bits hardly show: they still show errors
of a tenth of a level, by the pixels that these push over an edge."""


def picture_error(image: Image, truth: Batch, name: str) -> Float[Tensor, " batch"]:
    """Mean squared difference between the pictures of `image` (sky sigmas) and the true `name`."""
    noisy, expected, shown = (
        calibrated(each.float(), truth["zero_point"].float())
        for each in (
            truth["noisy"],
            truth[name],
            image * truth["sky_sigma"].float()[..., None, None],
        )
    )
    return (shading(shown, noisy) - shading(expected, noisy)).square().mean((1, 2, 3))


class Restore(Stage, ABC):
    """Learns the image `target`, in units of the sky's noise.

    The loss is ln of each image's mean squared error, so every image counts by its decibels,
    bright or faint. A share `stretched` of it is that of the paper's picture of the image (three
    bands), where light far below the noise counts too.

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
        more: tuple[int, int] = (0, 0),
    ) -> None:
        """more: channels that a subclass adds to the network's input and output."""
        super().__init__()
        self.bands, self.images = tuple(bands), tuple(images)
        self.stretched, self.band_limited, self.colours = stretched, band_limited, colours
        self.reads = (*(by_name(name) for name in self.images), *CONDITIONS)
        self.writes = (self.target,)
        self.learns = (self.target, SKY_SIGMA, *((NOISY, ZERO_POINT) if stretched else ()))
        count = channel_count(len(self.bands), len(self.images), colours)
        self.network = network(count + more[0], len(self.bands) + more[1])

    def forward(self, batch: Batch) -> Float[Tensor, "batch band y x"]:
        batch = band_limited(batch) if self.band_limited else batch
        first = in_sigmas(batch, self.images[0])
        output = self.network(channels(batch, self.images, self.colours)).float()
        return self.restored(first, noise_of(batch, self.images[0]) * output)

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
        shown = picture_error(output, truth, self.target.name)
        return torch.lerp(loss, torch.log(shown + LEVEL), self.stretched)

    def metrics(self, predicted: Batch, truth: Batch) -> dict[str, Float[Tensor, " batch"]]:
        name = self.target.name
        error = in_sigmas({**truth, name: predicted[name]}, name) - in_sigmas(truth, name)
        return {f"{name}_rms_error_sigma": error.square().mean((1, 2, 3)).sqrt()}
