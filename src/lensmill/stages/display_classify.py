"""DisplayClassify: the paper's classifier, from a picture to a probability."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from lensmill.quantities import IS_LENS, P_LENS, Batch
from lensmill.stages.base import NetworkFactory
from lensmill.stages.display import DisplayStage
from lensmill.stages.display_restore import WHITE


class DisplayClassify(DisplayStage):
    """Reads the picture `image`, writes `p_lens`: at the training set's share of lenses."""

    def __init__(
        self,
        network: NetworkFactory,
        bands: tuple[str, ...] = ("g", "r", "i"),
        image: str = "source_display",
    ) -> None:
        super().__init__(bands, image)
        self.writes, self.learns = (P_LENS,), (IS_LENS,)
        self.network = network(len(self.bands), 1)

    def forward(self, batch: Batch) -> Float[Tensor, " batch"]:
        return self.network(self.picture(batch) / WHITE).float().squeeze(1)

    def decode(self, output: Tensor, batch: Batch) -> Batch:
        return {P_LENS.name: torch.sigmoid(output)}

    def loss(self, output: Tensor, truth: Batch) -> Float[Tensor, " batch"]:
        expected = truth[IS_LENS.name].to(output)
        return functional.binary_cross_entropy_with_logits(output, expected, reduction="none")

    def metrics(self, predicted: Batch, truth: Batch) -> dict[str, Float[Tensor, " batch"]]:
        right = (predicted[P_LENS.name] > 0.5) == (truth[IS_LENS.name] > 0.5)
        return {"accuracy": right.float()}
