"""Averaged: a pipeline whose answers do not hang on which way up the sky is seen."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lensmill.quantities import P_LENS, POSTERIOR_MEAN, Batch
from lensmill.stages.pipeline import Pipeline
from lensmill.stages.posterior import Mixture
from lensmill.stages.regress import as_quantities
from lensmill.stages.symmetry import ELEMENTS, inverse, turned


class Averaged(Pipeline):
    """Runs the stages on the sky turned all eight ways; what they say, turned back, is averaged.

    Images and numbers are averaged as they are, p_lens as ln odds; the posterior is the mixture of
    the eight. Turn the sky, and every answer turns with it.
    """

    def predict(self, batch: Batch) -> Batch:
        given = self._given(batch)
        views = [self._seen(given, element) for element in ELEMENTS]
        written = [{k: v for k, v in view.items() if k not in given} for view in views]
        return {**given, **average(written)}

    def _seen(self, batch: Batch, element: int) -> Batch:
        """What is predicted of the sky turned by `element`, turned back."""
        return turned(super().predict(turned(batch, element)), inverse(element))


def average(views: Sequence[Batch]) -> Batch:
    """What several predictions of the same objects come to."""
    means = {name: _mean(name, [view[name] for view in views]) for name in views[0]}
    if POSTERIOR_MEAN.name not in means:
        return means
    return {**means, **as_quantities(Mixture.mixed([Mixture.of(view) for view in views]))}


def _mean(name: str, values: list[Tensor]) -> Tensor:
    stacked = torch.stack(values)
    if name == P_LENS.name:
        return torch.sigmoid(torch.logit(stacked, 1e-7).mean(0))
    return stacked.mean(0)
