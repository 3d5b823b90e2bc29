"""Metrics: pure functions, one value per example where that makes sense.

Images are tensors (batch, band, y, x) and are compared in units of each band's sky noise, so
that every band counts alike and the image's own unit drops out. Scores and labels are columns of
a table, (example,).
"""

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor

RANGE_FLOOR = 3.0
"""Smallest range, in sky sigmas, that `linear_psnr` grants a truth: near-empty images count."""

Image = Float[Tensor, "batch band y x"]
Scores = Float[np.ndarray, " example"]
Labels = Bool[np.ndarray, " example"]


def error_rms(
    image: Image, truth: Image, sky_sigma: Float[Tensor, "batch band"]
) -> Float[Tensor, " batch"]:
    """Root mean square of image − truth over all bands and pixels, in sky sigmas."""
    return _in_sigmas(image - truth, sky_sigma).square().mean((1, 2, 3)).sqrt()


def linear_psnr(
    image: Image, truth: Image, sky_sigma: Float[Tensor, "batch band"]
) -> Float[Tensor, " batch"]:
    """Peak signal-to-noise ratio in flux, dB: 20 log10(D / rms error), all bands together.

    Both images in sky sigmas per band; D = max(truth) − min(truth) over all bands, at least
    `RANGE_FLOOR`. A perfect image has inf.
    """
    scaled = _in_sigmas(truth, sky_sigma).flatten(1)
    span = (scaled.amax(1) - scaled.amin(1)).clamp(min=RANGE_FLOOR)
    return 20 * torch.log10(span / error_rms(image, truth, sky_sigma))


def correlation(
    image: Image, truth: Image, sky_sigma: Float[Tensor, "batch band"]
) -> Float[Tensor, " batch"]:
    """Pearson correlation over all bands and pixels, in sky sigmas; NaN where one is constant."""
    a, b = (_in_sigmas(each, sky_sigma).flatten(1) for each in (image, truth))
    a, b = (each - each.mean(1, keepdim=True) for each in (a, b))
    return (a * b).sum(1) / (a.square().sum(1) * b.square().sum(1)).sqrt()


def _in_sigmas(image: Tensor, sky_sigma: Tensor) -> Tensor:
    """float64: a bright galaxy's squares need more than seven digits."""
    return image.double() / sky_sigma.double()[..., None, None]


def circular_difference_deg(
    a: Float[np.ndarray, "*shape"], b: Float[np.ndarray, "*shape"]
) -> NDArray[np.float64]:
    """a − b of two position angles in degrees, in [−90, 90): an axis has no head."""
    return np.remainder(np.asarray(a, np.float64) - b + 90.0, 180.0) - 90.0


def auroc(score: Scores, label: Labels) -> float:
    """Area under the receiver operating characteristic; ties count half, NaN without both classes.

    The share of (positive, negative) pairs in the right order (Mann & Whitney 1947).
    """
    positive, negative = int(label.sum()), int((~label).sum())
    if positive == 0 or negative == 0:
        return float("nan")
    ranks = rankdata(score)[label].sum()
    return float((ranks - positive * (positive + 1) / 2) / (positive * negative))


def tpr_at_false_positives(score: Scores, label: Labels, count: int) -> float:
    """Highest true-positive rate before false positive number `count` (0 and 1: the first).

    TPR0 is `count` = 0, TPR10 `count` = 10: fewer than ten false positives (Metcalf+ 2019). It
    depends on how many negatives there are: say it beside the figure. NaN without positives or
    without negatives.
    """
    positive, negative = score[label], np.sort(score[~label])[::-1]
    if len(positive) == 0 or len(negative) == 0:
        return float("nan")
    if len(negative) < max(count, 1):
        return 1.0
    return float((positive > negative[max(count, 1) - 1]).mean())


def purity(tpr: float, fpr: float, prevalence: float) -> float:
    """Share of true lenses among what is selected: π TPR / (π TPR + (1 − π) FPR).

    prevalence: π, the share of lenses on the sky, not in the test set. NaN where nothing is
    selected.
    """
    right, wrong = prevalence * tpr, (1 - prevalence) * fpr
    return right / (right + wrong) if right + wrong > 0 else float("nan")


def purity_at_completeness(
    score: Scores, label: Labels, prevalence: float, completeness: float = 0.5
) -> float:
    """Purity, on a sky with that share of lenses, of a selection that keeps half of them.

    k false positives among n negatives count as a rate of (k + 1/2)/(n + 1), the mean of
    Jeffreys' posterior: none among two thousand does not mean none on the sky. Where k = 0 the
    figure is a lower bound that n sets. NaN without both classes.
    """
    positive, negative = score[label], score[~label]
    if len(positive) == 0 or len(negative) == 0:
        return float("nan")
    threshold = np.quantile(positive, 1 - completeness)
    tpr = float((positive >= threshold).mean())
    fpr = float((negative >= threshold).sum() + 0.5) / (len(negative) + 1)
    return purity(tpr, fpr, prevalence)
