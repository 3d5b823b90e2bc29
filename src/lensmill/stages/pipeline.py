"""Pipeline: stages in a row. What one stage reads is what an earlier one wrote, or was given."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lensmill.quantities import CONDITIONS, NOISY, NOISY_DISPLAY, Batch, Quantity
from lensmill.stages.base import Stage
from lensmill.stages.scaling import shared_views


class Pipeline(nn.Module):
    """Runs `stages` in order from the quantities in `given` and the observing conditions alone."""

    def __init__(self, stages: Sequence[Stage], given: Sequence[Quantity] = (NOISY,)) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.given = (*given, *CONDITIONS)
        _check(stages, self.given)

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands that every stage works on; () for an empty pipeline."""
        return next((stage.bands for stage in self.members), ())

    def predict(self, batch: Batch) -> Batch:
        """What is given and everything the stages write; anything else in `batch` is ignored."""
        state = self._given(batch)
        with shared_views():
            for stage in self.members:
                state = stage.predict(state)
        return state

    def losses(self, truth: Batch) -> list[Tensor]:
        """Each stage's loss per example along the chain, for end-to-end training."""
        state = self._given(truth)
        losses = []
        for stage in self.members:
            output = stage(state)
            zero = torch.zeros(len(output), device=output.device)
            losses.append(torch.where(stage.select(truth), stage.loss(output, truth), zero))
            state = {**state, **stage.decode(output, state)}
        return losses

    def _given(self, batch: Batch) -> Batch:
        missing = [quantity.name for quantity in self.given if quantity.name not in batch]
        if missing:
            raise ValueError(f"the pipeline is given {missing}, not in the batch")
        return {quantity.name: batch[quantity.name] for quantity in self.given}

    @property
    def members(self) -> list[Stage]:
        """The stages, in order."""
        return list(self.stages)  # type: ignore[arg-type]


def observed(stages: Sequence[Stage]) -> tuple[Quantity, ...]:
    """What of the observation the stages read: its fluxes, its picture, or both."""
    return tuple(q for q in (NOISY, NOISY_DISPLAY) if any(q in stage.reads for stage in stages))


def _check(stages: Sequence[Stage], given: Sequence[Quantity]) -> None:
    """ValueError where a stage reads what nothing before it provides, or bands differ."""
    known = {quantity.name for quantity in given}
    for stage in stages:
        name = type(stage).__name__
        missing = {quantity.name for quantity in stage.reads} - known
        if missing:
            raise ValueError(f"{name} reads {sorted(missing)}; before it there is {sorted(known)}")
        if stage.bands != stages[0].bands:
            raise ValueError(f"{name} works on {stage.bands}, the first on {stages[0].bands}")
        known |= {quantity.name for quantity in stage.writes}
