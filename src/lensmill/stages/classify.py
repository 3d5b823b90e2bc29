"""Classify: is it a strong lens?"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from lensmill.quantities import CONDITIONS, IS_LENS, P_LENS, SOURCE_SNR, Batch, by_name
from lensmill.stages.base import NetworkFactory, Stage
from lensmill.stages.scaling import band_limited, channel_count, channels


class Classify(Stage):
    """Reads `source` (and whatever else is named), writes `p_lens`.

    p_lens is the probability at the training set's share of lenses; `temperature` (a buffer)
    calibrates it. `side`: pixels along y and x, at the centre, that are looked at; 0: all.

    `least_snr`: of the lenses only those whose source has this S/N teach it. Where half of the
    lenses show nothing, a galaxy that shows nothing is a lens as likely as not, and the faintest
    doubt passes any cut; a finder is asked for lenses that can be seen (Collett 2015: S/N > 20).
    """

    temperature: Tensor

    def __init__(
        self,
        network: NetworkFactory,
        bands: tuple[str, ...] = ("g", "r", "i"),
        images: tuple[str, ...] = ("noisy", "source"),
        band_limited: bool = False,
        colours: bool = False,
        side: int = 0,
        least_snr: float = 0.0,
    ) -> None:
        super().__init__()
        self.least_snr = least_snr
        self.band_limited, self.colours, self.side = band_limited, colours, side
        self.bands, self.images = tuple(bands), tuple(images)
        self.reads = (*(by_name(name) for name in self.images), *CONDITIONS)
        self.writes = (P_LENS,)
        self.learns = (IS_LENS, SOURCE_SNR) if least_snr else (IS_LENS,)
        self.network = network(channel_count(len(self.bands), len(self.images), colours), 1)
        self.register_buffer("temperature", torch.ones(()))

    def forward(self, batch: Batch) -> Float[Tensor, " batch"]:
        return self.network(self.seen(batch)).float().squeeze(1)

    def seen(self, batch: Batch) -> Float[Tensor, "batch c y x"]:
        """What the network sees of a batch."""
        batch = band_limited(batch) if self.band_limited else batch
        return channels(batch, self.images, self.colours, self.side)

    def decode(self, output: Tensor, batch: Batch) -> Batch:
        return {P_LENS.name: torch.sigmoid(output / self.temperature)}

    def select(self, truth: Batch) -> Bool[Tensor, " batch"]:
        if not self.least_snr:
            return super().select(truth)
        return (truth[IS_LENS.name] < 0.5) | (truth[SOURCE_SNR.name] >= self.least_snr)

    def loss(self, output: Tensor, truth: Batch) -> Float[Tensor, " batch"]:
        return functional.binary_cross_entropy_with_logits(
            output, truth["is_lens"].to(output), reduction="none"
        )

    def forget_calibration(self) -> None:
        self.temperature.fill_(1.0)

    def metrics(self, predicted: Batch, truth: Batch) -> dict[str, Float[Tensor, " batch"]]:
        right = (predicted[P_LENS.name] > 0.5) == (truth["is_lens"] > 0.5)
        return {"accuracy": right.float()}
