"""Restore: a stage from images to an image."""

from abc import ABC

import torch
from jaxtyping import Float
from torch import Tensor

from lensmill.quantities import CONDITIONS, SKY_SIGMA, Batch, Quantity, by_name
from lensmill.stages.base import NetworkFactory, Stage
from lensmill.stages.scaling import channel_count, channels, in_sigmas

FLOOR = 1e-3
"""Mean squared error, in sky variances, below which an image is as good as the loss asks for."""


class Restore(Stage, ABC):
    """Learns the image `target`, in units of the sky's noise.

    The loss is ln of each image's mean squared error, so every image counts by its decibels,
    bright or faint.
    """

    target: Quantity

    def __init__(
        self, network: NetworkFactory, bands: tuple[str, ...], images: tuple[str, ...]
    ) -> None:
        super().__init__()
        self.bands, self.images = tuple(bands), tuple(images)
        self.reads = (*(by_name(name) for name in self.images), *CONDITIONS)
        self.writes, self.learns = (self.target,), (self.target, SKY_SIGMA)
        count = channel_count(len(self.bands), len(self.images))
        self.network = network(count, len(self.bands))

    def restored(self, batch: Batch) -> Float[Tensor, "batch band y x"]:
        """The network's output in float32."""
        return self.network(channels(batch, self.images)).float()

    def decode(self, output: Tensor, batch: Batch) -> Batch:
        return {self.target.name: output * batch["sky_sigma"].float()[..., None, None]}

    def loss(self, output: Tensor, truth: Batch) -> Float[Tensor, " batch"]:
        error = output - in_sigmas(truth, self.target.name)
        return torch.log(error.square().mean((1, 2, 3)) + FLOOR)

    def metrics(self, predicted: Batch, truth: Batch) -> dict[str, Float[Tensor, " batch"]]:
        name = self.target.name
        error = in_sigmas({**truth, name: predicted[name]}, name) - in_sigmas(truth, name)
        return {f"{name}_rms_error_sigma": error.square().mean((1, 2, 3)).sqrt()}
