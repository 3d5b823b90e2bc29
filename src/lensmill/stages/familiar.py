"""Familiar: is it a strong lens, and is it anything like what the stages were trained on?"""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from lensmill.quantities import CLEAN, NOISY, OOD, OOD_PARTS, SOURCE, Batch
from lensmill.stages.base import Stage
from lensmill.stages.classify import Classify
from lensmill.stages.evidence import conditions, light, noise
from lensmill.stages.usual import Usual

PARTS = ("network", "noise", "light", "conditions")
"""The respects in which an object can be unlike: as the classifier's network sees it, in what
denoising took away, in brightness and colour, and in seeing and pixel scale."""
UNLIKE = 0.99
"""`ood` above which an object is flagged: one in a hundred of the training's own systems is."""


@runtime_checkable
class Featured(Protocol):
    """A network that tells what its last layer sees."""

    head: nn.Module

    def features(self, x: Tensor) -> Tensor:
        """What `head` makes the output of."""
        ...


class Familiar(Stage):
    """Classify, which also writes `ood`: the share of the training's systems that are more usual.

    The network runs once for both.
    """

    def __init__(self, classify: Classify, usual: Usual) -> None:
        super().__init__()
        self.classify, self.usual = classify, usual
        self.bands, self.learns = classify.bands, classify.learns
        self.reads = tuple(dict.fromkeys((*classify.reads, NOISY, CLEAN, SOURCE)))
        self.writes = (*classify.writes, OOD, OOD_PARTS)

    def forward(self, batch: Batch) -> Float[Tensor, "batch column"]:
        """The logit, and the share of each of `PARTS`."""
        features = features_of(self.classify, batch)
        with torch.autocast(features.device.type, enabled=False):
            shares = self.usual.shares(evidence(features, batch))
            return torch.cat([_head(self.classify)(features), shares], 1)

    def decode(self, output: Tensor, batch: Batch) -> Batch:
        shares = output[:, 1:]
        unlike = {OOD.name: self.usual.rarity(shares), OOD_PARTS.name: shares}
        return {**self.classify.decode(output[:, 0], batch), **unlike}

    def loss(self, output: Tensor, truth: Batch) -> Float[Tensor, " batch"]:
        return self.classify.loss(output[:, 0], truth)

    def metrics(self, predicted: Batch, truth: Batch) -> dict[str, Float[Tensor, " batch"]]:
        return self.classify.metrics(predicted, truth)

    def select(self, truth: Batch) -> Bool[Tensor, " batch"]:
        return self.classify.select(truth)


def evidence(features: Tensor, batch: Batch) -> dict[str, Float[Tensor, "batch number"]]:
    """The numbers of each of `PARTS`, of a batch that a chain has denoised and deblended."""
    columns = (features, noise(batch), light(batch), conditions(batch))
    return dict(zip(PARTS, columns, strict=True))


def features_of(classify: Classify, batch: Batch) -> Float[Tensor, "batch number"]:
    """What the last layer of the classifier's network sees; ValueError where it does not tell."""
    if not isinstance(classify.network, Featured):
        name = type(classify.network).__name__
        raise ValueError(f"{name} does not tell what its last layer sees: it has no features()")
    return classify.network.features(classify.seen(batch)).float()


def _head(classify: Classify) -> nn.Module:
    head = classify.network.head
    assert isinstance(head, nn.Module)
    return head
