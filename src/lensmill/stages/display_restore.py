"""DisplayRestore: the paper's denoiser and deblender, from a picture to a picture."""

from jaxtyping import Float
from torch import Tensor

from lensmill.quantities import Batch, by_name
from lensmill.stages.base import NetworkFactory
from lensmill.stages.display import DisplayStage

WHITE = 255.0


class DisplayRestore(DisplayStage):
    """Reads the picture `image`, writes the picture `target`; the loss is L1, in levels.

    Madireddy et al. 2019: noisy_display → clean_display denoises, clean_display → source_display
    deblends.
    """

    def __init__(
        self,
        network: NetworkFactory,
        bands: tuple[str, ...] = ("g", "r", "i"),
        image: str = "noisy_display",
        target: str = "clean_display",
    ) -> None:
        super().__init__(bands, image)
        self.target = by_name(target)
        self.writes = self.learns = (self.target,)
        self.network = network(len(self.bands), len(self.bands))

    def forward(self, batch: Batch) -> Float[Tensor, "batch 3 y x"]:
        return self.network(self.picture(batch)).float()

    def decode(self, output: Tensor, batch: Batch) -> Batch:
        return {self.target.name: output.clamp(0, WHITE)}

    def loss(self, output: Tensor, truth: Batch) -> Float[Tensor, " batch"]:
        return (output - truth[self.target.name]).abs().mean((1, 2, 3))

    def metrics(self, predicted: Batch, truth: Batch) -> dict[str, Float[Tensor, " batch"]]:
        name = self.target.name
        error = predicted[name] - truth[name]
        return {f"{name}_rms_error_levels": error.square().mean((1, 2, 3)).sqrt()}
