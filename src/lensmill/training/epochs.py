"""Epochs: a finite set of examples, over and over, each time in another order and in patches."""

from collections.abc import Sequence
from math import ceil

import torch
from torch import Tensor

from lensmill.quantities import IMAGE_NAMES, Batch
from lensmill.simulation.counter import uniform
from lensmill.training.noise import renewing
from lensmill.training.pool import Pair, Pool, Prepare
from lensmill.training.recipe import TrainingRecipe

ORDER_STREAM, PATCH_STREAM = 900, 901
Place = tuple[int, int]
"""(batch, row) of an example."""
Share = Sequence[float]
"""Where a patch lies, from 0 to 1 along y and x."""


def feed(prepare: Prepare, settings: TrainingRecipe, seed: int) -> Prepare:
    """What hands a step its batch: from all that there is, or from what the settings keep."""
    if settings.examples:
        count = ceil(settings.examples / settings.batch)
        kept: Prepare = Epochs(prepare, count, settings.patch, seed)
    else:
        kept = Pool(prepare, settings.pool)
    return renewing(kept) if settings.fresh_noise else kept


class Epochs:
    """Hands out the examples of `batches` prepared batches, pass after pass.

    The first pass has the batches as they are prepared. Every later one has all examples in an
    order of its own, in as many batches of equal size. Of each example a patch of `patch`² pixels
    is cut out at random; 0: the whole.

    What a step gets is a function of (seed, step) alone, so a resumed training, which prepares its
    examples anew, goes on as if never stopped.
    """

    def __init__(self, prepare: Prepare, batches: int, patch: int, seed: int) -> None:
        self.prepare, self.batches, self.patch, self.seed = prepare, batches, patch, seed
        self.kept: dict[int, Pair] = {}
        self.order: tuple[int, list[list[Place]]] = (0, [])

    def __call__(self, step: int) -> Pair:
        epoch, number = divmod(step, self.batches)
        places = self._rows(number) if epoch == 0 else self._shuffled(epoch)[number]
        shares = self._shares(len(places), step)
        pairs = [self._example(*each) for each in zip(places, shares, strict=True)]
        batch, truth = ([pair[side] for pair in pairs] for side in (0, 1))
        return _stacked(batch), _stacked(truth)

    def _rows(self, number: int) -> list[Place]:
        """The examples of prepared batch `number`, which may be fewer than its systems."""
        if number not in self.kept:
            self.kept[number] = self.prepare(number)
        some = next(iter(self.kept[number][0].values()))
        return [(number, row) for row in range(len(some))]

    def _shuffled(self, epoch: int) -> list[list[Place]]:
        """All examples in the order of an epoch, batch by batch."""
        if self.order[0] != epoch:
            places = [place for number in range(self.batches) for place in self._rows(number)]
            keys = uniform(self.seed, torch.tensor([epoch]), ORDER_STREAM, len(places))[0]
            parts = keys.argsort().tensor_split(self.batches)
            self.order = epoch, [[places[i] for i in part.tolist()] for part in parts]
        return self.order[1]

    def _shares(self, count: int, step: int) -> list[list[float]]:
        """Where the patches of a step's `count` examples lie."""
        numbers = uniform(self.seed, torch.tensor([step]), PATCH_STREAM, 2 * count)
        return numbers.reshape(count, 2).tolist()

    def _example(self, place: Place, share: Share) -> Pair:
        number, row = place
        batch, truth = self.kept[number]
        return self._cut(batch, row, share), self._cut(truth, row, share)

    def _cut(self, batch: Batch, row: int, share: Share) -> Batch:
        return {
            name: self._patch(value[row], share) if name in IMAGE_NAMES else value[row]
            for name, value in batch.items()
        }

    def _patch(self, image: Tensor, share: Share) -> Tensor:
        if self.patch == 0:
            return image
        y, x = (
            int(part * (max(0, side - self.patch) + 1))
            for part, side in zip(share, image.shape[-2:], strict=True)
        )
        return image[..., y : y + self.patch, x : x + self.patch]


def _stacked(examples: list[Batch]) -> Batch:
    """One batch of many examples; empty of none. ValueError where they differ in shape."""
    names = examples[0] if examples else ()
    return {name: _rows_of(name, [each[name] for each in examples]) for name in names}


def _rows_of(name: str, values: list[Tensor]) -> Tensor:
    shapes = {tuple(value.shape) for value in values}
    if len(shapes) > 1:
        raise ValueError(
            f"{name!r} of kept examples is {' and '.join(map(str, sorted(shapes)))}: give a "
            "smaller patch, or stamps of one shape"
        )
    return torch.stack(values)
