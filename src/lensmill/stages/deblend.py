"""Deblend: the source alone, without the lens galaxy and its companions."""

from lensmill.quantities import SOURCE
from lensmill.stages.base import NetworkFactory
from lensmill.stages.restore import Image, Restore


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
        stretched: float = 0.0,
        band_limited: bool = False,
        colours: bool = False,
    ) -> None:
        super().__init__(network, bands, images, stretched, band_limited, colours)

    def restored(self, first: Image, output: Image) -> Image:
        """The network's output itself."""
        return output
