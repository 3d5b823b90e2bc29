"""Denoise: the observed image without its noise."""

from jaxtyping import Float
from torch import Tensor

from lensmill.quantities import CLEAN, Batch
from lensmill.stages.base import NetworkFactory
from lensmill.stages.restore import Restore
from lensmill.stages.scaling import in_sigmas, local_noise


class Denoise(Restore):
    """Reads `noisy`, writes `clean`: the network predicts the noise, which is subtracted."""

    target = CLEAN

    def __init__(
        self,
        network: NetworkFactory,
        bands: tuple[str, ...] = ("g", "r", "i"),
        images: tuple[str, ...] = ("noisy",),
    ) -> None:
        super().__init__(network, bands, images)

    def forward(self, batch: Batch) -> Float[Tensor, "batch band y x"]:
        noisy = in_sigmas(batch, self.images[0])
        return noisy - local_noise(noisy) * self.restored(batch)
