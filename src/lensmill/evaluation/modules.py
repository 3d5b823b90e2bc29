"""Modules: the stages of a weights folder, in a row and each by itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from lensmill.heap import keep_freed_memory
from lensmill.quantities import CLEAN, DISPLAYS, NOISY, SOURCE, Batch, Quantity
from lensmill.stages.averaged import Averaged
from lensmill.stages.base import Stage
from lensmill.stages.familiar import Familiar
from lensmill.stages.pipeline import Pipeline, observed
from lensmill.training.checkpoint import load_stage
from lensmill.training.familiar import with_usual

STAGES = ("denoise", "deblend", "classify", "regress")
DIRECT = ("classify_noisy", "regress_noisy")
"""Optional: the paper's baselines, straight from the observed image."""
IMAGES = (NOISY, CLEAN, SOURCE, *DISPLAYS)
WAYS = ("chained", "from_truth", "from_noisy")
"""Whose output each module is given: the module before it, the simulator, or none."""


@dataclass(frozen=True)
class Modules:
    """What a weights folder can be asked, way by way.

    chained: the four stages in a row, given `noisy`, or its picture where that is what they read.
    from_truth: deblend, classify and regress, each by itself and given the true images of all
    that it reads: deblend `clean`, classify and regress `source`, and whoever reads `noisy` beside
    them that too. They are the same weights, whatever they were trained on.
    from_noisy: the direct baselines, given the same alone; as many as there are.
    """

    chained: Pipeline
    from_truth: Mapping[str, Pipeline]
    from_noisy: Mapping[str, Pipeline]

    @classmethod
    def load(
        cls,
        weights: Path,
        device: torch.device | str = "cpu",
        average: bool = False,
        trust: bool = False,
    ) -> "Modules":
        """The modules in a folder; ValueError where one of the four is missing.

        average: over the eight ways up (see `Averaged`). trust: foreign parts are imported.
        """
        keep_freed_memory()
        kind = Averaged if average else Pipeline

        def loaded(name: str) -> Stage:
            return load_stage(weights / f"{name}.safetensors", trust).to(device)

        stages = {name: loaded(name) for name in STAGES}
        there = [name for name in DIRECT if (weights / f"{name}.safetensors").is_file()]
        direct = {name: loaded(name) for name in there}
        chain = {**stages, "classify": with_usual(weights, stages["classify"]).to(device)}
        return cls(
            _from_noisy(kind, list(chain.values())),
            {name: kind([stages[name]], given=truth_for(stages[name])) for name in STAGES[1:]},
            {name: _from_noisy(kind, [stage]) for name, stage in direct.items()},
        )

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands that the chain works on."""
        return self.chained.bands

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the weights in use."""
        tells = any(isinstance(stage, Familiar) for stage in self.chained.members)
        return (*STAGES, *self.from_noisy, *(["familiar"] if tells else []))

    @property
    def given(self) -> dict[str, list[str]]:
        """Which images of the simulator each pipeline is given."""
        pipelines = {
            "chained": self.chained,
            **{f"{name}_from_truth": each for name, each in self.from_truth.items()},
            **self.from_noisy,
        }
        return {name: [image.name for image in _images(p)] for name, p in pipelines.items()}

    @torch.no_grad()
    def predict(self, truth: Batch) -> dict[str, Batch]:
        """What is predicted, for each of `WAYS`; the pictures that stages read are in `truth`."""
        return {
            "chained": self.chained.predict(truth),
            "from_truth": _written(self.from_truth, truth),
            "from_noisy": _written(self.from_noisy, truth),
        }


def truth_for(stage: Stage) -> tuple[Quantity, ...]:
    """The images that a stage reads, which the simulator has too."""
    return tuple(image for image in IMAGES if image in stage.reads)


def _from_noisy(kind: type[Pipeline], stages: list[Stage]) -> Pipeline:
    return kind(stages, given=observed(stages)).eval()


def _images(pipeline: Pipeline) -> list[Quantity]:
    return [image for image in IMAGES if image in pipeline.given]


def _written(pipelines: Mapping[str, Pipeline], truth: Batch) -> Batch:
    """What the pipelines write of their own; what they were given is left out."""
    state: dict[str, torch.Tensor] = {}
    for pipeline in pipelines.values():
        predicted = pipeline.predict(truth)
        given = {quantity.name for quantity in pipeline.given}
        state |= {name: value for name, value in predicted.items() if name not in given}
    return state
