"""Display: stages that see pictures as the paper's do, and the pictures of a batch."""

from abc import ABC
from collections.abc import Iterable

from jaxtyping import Float
from torch import Tensor

from lensmill.physics.display import BANDS, calibrated, display
from lensmill.quantities import (
    CLEAN,
    CLEAN_DISPLAY,
    DISPLAYS,
    NOISY,
    NOISY_DISPLAY,
    SOURCE,
    SOURCE_DISPLAY,
    Batch,
    Quantity,
    by_name,
)
from lensmill.stages.base import Stage

MADE_OF = {NOISY_DISPLAY: NOISY, CLEAN_DISPLAY: CLEAN, SOURCE_DISPLAY: SOURCE}


def with_displays(batch: Batch, wanted: Iterable[Quantity] = DISPLAYS) -> Batch:
    """`batch` with the pictures among `wanted` that it lacks, made of its fluxes; there are none
    unless of three bands."""
    missing = [each for each in wanted if each in MADE_OF and each.name not in batch]
    if not missing or batch[NOISY.name].shape[1] != BANDS:
        return batch
    noisy = calibrated(batch[NOISY.name], batch["zero_point"])
    pictures = {
        each.name: display(calibrated(batch[MADE_OF[each].name], batch["zero_point"]), noisy)
        for each in missing
    }
    return {**batch, **pictures}


class DisplayStage(Stage, ABC):
    """Reads one picture and nothing else, neither noise nor seeing."""

    def __init__(self, bands: tuple[str, ...], image: str) -> None:
        super().__init__()
        if len(bands) != BANDS:
            raise ValueError(f"bands: a picture is made of {BANDS}, not of {tuple(bands)}")
        self.bands, self.reads = tuple(bands), (by_name(image),)

    def picture(self, batch: Batch) -> Float[Tensor, "batch 3 y x"]:
        """What the stage reads, levels from 0 to 255."""
        return batch[self.reads[0].name].float()
