"""Claims: the pictures of a batch, true and predicted, that the paper's figures compare."""

from collections.abc import Mapping

from torch import Tensor

from lensmill.quantities import CLEAN_DISPLAY, NOISY, SOURCE_DISPLAY, ZERO_POINT, Batch
from lensmill.stages.display import with_displays

CLAIMS = {
    "denoised": ("chained", CLEAN_DISPLAY),
    "deblended_chained": ("chained", SOURCE_DISPLAY),
    "deblended_from_truth": ("from_truth", SOURCE_DISPLAY),
}
"""Whose claim each predicted picture is (of `modules.WAYS`), and of what."""


def pictures(truth: Batch, predicted: Mapping[str, Batch]) -> dict[str, Tensor]:
    """Eight-bit pictures by name: noisy, clean, source, and `CLAIMS`; three bands only.

    Of a stage that predicts a picture it is that, in whole numbers; of one that predicts fluxes it
    is made of them.
    """
    shown = with_displays(truth)
    true = {name: shown[f"{name}_display"] for name in ("noisy", "clean", "source")}
    observed = {each.name: truth[each.name] for each in (NOISY, ZERO_POINT)}
    claimed = {
        name: with_displays({**predicted[way], **observed}, (image,))[image.name].round()
        for name, (way, image) in CLAIMS.items()
    }
    return {**true, **claimed}
