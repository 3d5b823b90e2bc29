"""Denoise: the observed image without its noise."""

from lensmill.quantities import CLEAN
from lensmill.stages.base import NetworkFactory
from lensmill.stages.restore import Image, Restore


class Denoise(Restore):
    """Reads `noisy`, writes `clean`: the network predicts the noise, which is subtracted."""

    target = CLEAN

    def __init__(
        self,
        network: NetworkFactory,
        bands: tuple[str, ...] = ("g", "r", "i"),
        images: tuple[str, ...] = ("noisy",),
        stretched: float = 0.0,
        band_limited: bool = False,
        colours: bool = False,
    ) -> None:
        super().__init__(network, bands, images, stretched, band_limited, colours)

    def restored(self, first: Image, output: Image) -> Image:
        """The observed image less its noise."""
        return first - output
