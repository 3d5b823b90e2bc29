"""DisplayRegress: the paper's model of a lens, from a picture to θ_E, q and φ."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lensmill.quantities import E1, E2, IS_LENS, THETA_E, Batch
from lensmill.stages.base import NetworkFactory
from lensmill.stages.display import DisplayStage
from lensmill.stages.display_restore import WHITE
from lensmill.units import axis_ratio_from_ellipticity, ellipticity_from_axis_ratio


class DisplayRegress(DisplayStage):
    """Reads the picture `image`, writes `theta_E`, `e1` and `e2`; lenses only.

    The network learns (θ_E / arcsec, q, φ / rad from +x), scaled to [0, 1] by `low` and `high`, the
    training set's smallest and largest; the loss is their mean absolute error. φ is a plain number
    as in the paper: 1° and 179° are far apart. What lies beyond the ranges is taken to their edge,
    which for φ should stop short of π, where it would start again from 0.
    """

    low: Tensor
    high: Tensor

    def __init__(
        self,
        network: NetworkFactory,
        bands: tuple[str, ...] = ("g", "r", "i"),
        image: str = "source_display",
        low: tuple[float, float, float] = (0.3, 0.2, 0.0),
        high: tuple[float, float, float] = (4.0, 1.0, 3.1415),
    ) -> None:
        super().__init__(bands, image)
        self.writes = (THETA_E, E1, E2)
        self.learns = (IS_LENS, THETA_E, E1, E2)
        self.network = network(len(self.bands), len(low))
        self.register_buffer("low", torch.tensor(low))
        self.register_buffer("high", torch.tensor(high))

    def forward(self, batch: Batch) -> Float[Tensor, "batch 3"]:
        return self.network(self.picture(batch) / WHITE).float()

    def decode(self, output: Tensor, batch: Batch) -> Batch:
        targets = self.low + (self.high - self.low) * output.clamp(0, 1)
        theta_E, q, phi = targets.unbind(1)
        e1, e2 = ellipticity_from_axis_ratio(q, phi)
        return {THETA_E.name: theta_E, E1.name: e1, E2.name: e2}

    def loss(self, output: Tensor, truth: Batch) -> Float[Tensor, " batch"]:
        return (output - self.scaled(truth)).abs().mean(1)

    def select(self, truth: Batch) -> Bool[Tensor, " batch"]:
        return truth[IS_LENS.name] > 0.5

    def metrics(self, predicted: Batch, truth: Batch) -> dict[str, Float[Tensor, " batch"]]:
        return {"mae": (self.scaled(predicted) - self.scaled(truth)).abs().mean(1)}

    def scaled(self, batch: Batch) -> Float[Tensor, "batch 3"]:
        """θ_E, q and φ of a batch, scaled."""
        theta_E, e1, e2 = (batch[each.name].float() for each in (THETA_E, E1, E2))
        targets = torch.stack([theta_E, *axis_ratio_from_ellipticity(e1, e2)], 1)
        return (targets - self.low) / (self.high - self.low)
