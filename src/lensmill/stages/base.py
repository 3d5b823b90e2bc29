"""Stage: what a network means. The one abstraction that everything obeys."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from lensmill.quantities import Batch, Quantity

NetworkFactory = Callable[[int, int], nn.Module]
"""(in_channels, out_channels) -> network."""


class Stage(nn.Module, ABC):
    """Reads some named quantities, writes others, and learns from those of the truth.

    Losses want scaled targets, the next stage wants physical units: hence `forward`, `decode`
    and `loss`. Scaling lives in the stage, so training and inference cannot disagree.
    """

    bands: tuple[str, ...]
    reads: tuple[Quantity, ...]
    writes: tuple[Quantity, ...]
    learns: tuple[Quantity, ...]
    """All of the truth that `loss`, `metrics` and `select` look at."""

    @abstractmethod
    def forward(self, batch: Batch) -> Tensor:
        """Raw output, in the units the loss wants."""

    @abstractmethod
    def decode(self, output: Tensor, batch: Batch) -> Batch:
        """The quantities in `writes`, in house units."""

    @abstractmethod
    def loss(self, output: Tensor, truth: Batch) -> Float[Tensor, " batch"]:
        """One value per example."""

    @abstractmethod
    def metrics(self, predicted: Batch, truth: Batch) -> dict[str, Float[Tensor, " batch"]]:
        """One value per example of each figure of merit."""

    def select(self, truth: Batch) -> Bool[Tensor, " batch"]:
        """Which examples to train on: all, unless a stage says otherwise."""
        some = truth[self.learns[0].name]
        return torch.ones(len(some), dtype=torch.bool, device=some.device)

    def forget_calibration(self) -> None:
        """Undo what was fitted to the stage after its training, if anything is."""

    def predict(self, batch: Batch) -> Batch:
        """`batch` with what this stage writes added."""
        missing = [quantity.name for quantity in self.reads if quantity.name not in batch]
        if missing:
            raise ValueError(f"{type(self).__name__} reads {missing}, not in the batch")
        return {**batch, **self.decode(self(batch), batch)}
