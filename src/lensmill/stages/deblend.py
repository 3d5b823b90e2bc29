"""Deblend: the source alone, without the lens galaxy and its companions."""

from jaxtyping import Float
from torch import Tensor

from lensmill.quantities import SOURCE, Batch
from lensmill.stages.base import NetworkFactory
from lensmill.stages.restore import Restore
from lensmill.stages.scaling import in_sigmas, local_noise


class Deblend(Restore):
    """Reads `clean` (and whatever else is named), writes `source`.

    The source is predicted itself: it is faint beside the lens galaxy, whose light would have to
    be predicted to a part in ten thousand.
    """

    target = SOURCE

    def __init__(
        self,
        network: NetworkFactory,
        bands: tuple[str, ...] = ("g", "r", "i"),
        images: tuple[str, ...] = ("clean",),
    ) -> None:
        super().__init__(network, bands, images)

    def forward(self, batch: Batch) -> Float[Tensor, "batch band y x"]:
        return local_noise(in_sigmas(batch, self.images[0])) * self.restored(batch)
