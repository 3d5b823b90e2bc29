"""Inference: the chain on a batch, in the fastest numbers that change nothing that matters."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lensmill.heap import keep_freed_memory
from lensmill.quantities import P_LENS, Batch
from lensmill.stages.base import Stage
from lensmill.stages.scaling import shared_views
from lensmill.stages.usual import Usual
from lensmill.survey.chain import ORDER, Chain
from lensmill.survey.prefetch import Clock
from lensmill.survey.rows import measurements
from lensmill.training.precision import Precision

NOT_MODELLED = "not_modelled"
"""Flag of an object whose p_lens is below the run's cut."""

Row = dict[str, Any]


class HalfPrecision(nn.Module):
    """A network in bf16, of whose output the rest of the stage makes float32.

    The network alone: scaling, skips of whole images and posteriors stay as they are.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16):
            return self.network(x).float()

    def features(self, x: Tensor) -> Tensor:
        """What the network's last layer sees, of one that tells."""
        with torch.autocast(x.device.type, torch.bfloat16):
            return self.network.features(x).float()  # type: ignore[operator]

    @property
    def head(self) -> nn.Module:
        """The network's last layer, in float32."""
        return self.network.head  # type: ignore[return-value]


def prepared(chain: Chain, device: str, precision: Precision) -> Chain:
    """`chain` on a device, its networks in `precision`. The process keeps its freed memory."""
    keep_freed_memory()
    chain.pipeline.to(device)
    if precision == "bf16-mixed":
        for stage in list(chain.pipeline.modules()):
            for name, network in list(stage.named_children()):
                if isinstance(stage, Stage) and not isinstance(network, Stage | Usual):
                    setattr(stage, name, HalfPrecision(network))
    return chain


@dataclass(frozen=True)
class Prediction:
    """What the chain says of a batch: all that every stage wrote of all, and catalogue values."""

    quantities: Batch
    rows: list[Row]


def predict(chain: Chain, batch: Batch, cut: float | None, clock: Clock) -> Prediction:
    """The chain on `batch`; what follows p_lens only on objects at or above `cut`."""
    with torch.inference_mode(), shared_views():
        finding, modelling = _divided(chain, cut)
        found = _through(finding, batch, clock)
        rows = measurements(found)
        if modelling:
            _model(modelling, found, rows, cut or 0.0, clock)
    return Prediction(found, rows)


Named = Sequence[tuple[str, Stage]]


def _divided(chain: Chain, cut: float | None) -> tuple[Named, Named]:
    """The stages up to the one that writes p_lens, and those after it; all and none if no cut."""
    names = [name for name in ORDER if name in chain.digests]
    named = list(zip(names, chain.pipeline.members, strict=True))
    ends = [number for number, (_, stage) in enumerate(named, 1) if P_LENS in stage.writes]
    end = ends[0] if ends and cut is not None else len(named)
    return named[:end], named[end:]


def _through(stages: Named, batch: Batch, clock: Clock) -> Batch:
    for name, stage in stages:
        with clock.step(name, len(batch["noisy"])):
            batch = stage.predict(batch)
    return batch


def _model(stages: Named, found: Batch, rows: list[Row], cut: float, clock: Clock) -> None:
    """Adds to `rows` what the modelling stages say, or the flag that they were not asked."""
    passed = (found[P_LENS.name] >= cut).nonzero()[:, 0]
    modelled: list[Row] = []
    if len(passed):
        chosen = {name: value[passed] for name, value in found.items()}
        modelled = measurements(_through(stages, chosen, clock))
    values = dict(zip(passed.tolist(), modelled, strict=True))
    for number, row in enumerate(rows):
        row.update(values.get(number, {"flags": NOT_MODELLED}))
