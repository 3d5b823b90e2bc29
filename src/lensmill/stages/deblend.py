"""Deblend: the source alone, without the lens galaxy and its companions."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lensmill.physics.unmixing import DEPTHS, unmixed
from lensmill.quantities import SOURCE, Batch
from lensmill.stages.base import NetworkFactory
from lensmill.stages.restore import Image, Restore
from lensmill.stages.scaling import (
    band_limited,
    channels,
    compressed,
    fwhm_pixels,
    in_sigmas,
    noise_of,
)

LEAST = 0.01
"""Sky sigmas of neither colour that show an image not to be the true one."""


class Deblend(Restore):
    """Reads `clean` (and whatever else is named), writes `source`.

    The source is predicted itself: it is faint beside the lens galaxy, whose light would have to
    be predicted to a part in ten thousand. `unmixed`: the network sees, weighs and corrects what
    `lensmill.physics.unmixing` makes of the first image, which is much where lens and source have
    one colour each.
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
        unmixed: bool = False,
    ) -> None:
        self.unmixed = unmixed
        more = (len(DEPTHS) * len(bands) + 1, len(DEPTHS) + 1) if unmixed else (0, 0)
        super().__init__(network, bands, images, stretched, band_limited, colours, more)

    def forward(self, batch: Batch) -> Float[Tensor, "batch band y x"]:
        if not self.unmixed:
            return super().forward(batch)
        batch = band_limited(batch) if self.band_limited else batch
        first, views = in_sigmas(batch, self.images[0]), channels(batch, self.images, self.colours)
        noise, found = noise_of(batch, self.images[0]), unmixed(first, fwhm_pixels(batch))
        seen = [compressed(guess / noise) for guess in found.guesses]
        seen.append(compressed(found.rest / LEAST))
        output = self.network(torch.cat([views, *seen], 1)).float()
        correction, weight = output.split([len(self.bands), len(DEPTHS) + 1], 1)
        return _weighed(found.guesses, weight) + self.restored(first, noise * correction)

    def select(self, truth: Batch) -> Bool[Tensor, " batch"]:
        """Those with a source. An empty image can be ever more decibels better, and a network that
        is paid for them learns to show nothing at all when in doubt."""
        return truth[SOURCE.name].abs().amax((1, 2, 3)) > 0

    def restored(self, first: Image, output: Image) -> Image:
        """The network's output itself."""
        return output


def _weighed(guesses: tuple[Image, ...], weight: Float[Tensor, "batch guess y x"]) -> Image:
    """The guesses, and nothing as the last one, by weights (logits) of each pixel."""
    share = torch.softmax(weight, 1)
    return sum(share[:, k : k + 1] * guess for k, guess in enumerate(guesses))  # type: ignore[return-value]
