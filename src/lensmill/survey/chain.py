"""Chain: the trained stages of a folder, and what they were trained on."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lensmill.evaluation.files import read_json
from lensmill.provenance import digest, file_digest
from lensmill.quantities import CLEAN, CLEAN_DISPLAY, SOURCE, SOURCE_DISPLAY
from lensmill.stages.base import Stage
from lensmill.stages.pipeline import Pipeline
from lensmill.training.checkpoint import load_stage
from lensmill.training.familiar import FILE, with_usual
from lensmill.weights import FOLDER

ORDER = ("denoise", "deblend", "classify", "regress")
WRITTEN_BY = {"denoise": (CLEAN, CLEAN_DISPLAY), "deblend": (SOURCE, SOURCE_DISPLAY)}


@dataclass(frozen=True)
class Chain:
    """A pipeline from `noisy`, the digest of each weights file, and the range it was trained on."""

    pipeline: Pipeline
    digests: dict[str, str]
    trained_on: dict[str, Any]  # the simulation part of the recipe

    @property
    def digest(self) -> str:
        """One digest of all weights."""
        return digest(json.dumps(self.digests, sort_keys=True).encode())

    def unusual(self, shape: tuple[int, int], pixel_scale: float, fwhm: list[float]) -> list[str]:
        """Flags for conditions outside the training's range (5 % tolerance)."""
        flags = []
        scales = self.trained_on.get("pixel_scale")
        factor = self.trained_on.get("seeing", 1.0)
        seeing = [factor * fwhm for fwhm in self.trained_on.get("psf_fwhm") or ()]
        shapes = self.trained_on.get("shape")
        if scales and not _within([pixel_scale], scales):
            flags.append("pixel_scale_outside_training")
        if seeing and not _within(fwhm, seeing):
            flags.append("seeing_outside_training")
        if shapes and not all(
            _within([side], pair)
            for side, pair in zip(shape, zip(*shapes, strict=True), strict=True)
        ):
            flags.append("stamp_size_outside_training")
        return flags


def load_chain(folder: Path | None = None, trust: bool = False) -> Chain:
    """The chain in a folder of weights (default: the shipped one), in the pipeline's order.

    ValueError where the folder holds none of denoise, deblend, classify, regress, or not those that
    another one needs, or their bands differ.
    """
    folder = FOLDER if folder is None else folder
    paths = {name: folder / f"{name}.safetensors" for name in ORDER}
    found = {name: path for name, path in paths.items() if path.is_file()}
    if not found:
        raise ValueError(
            f"no weights in {folder}: expected {', '.join(p.name for p in paths.values())}"
        )
    stages = {name: load_stage(path, trust) for name, path in found.items()}
    _check_complete(folder, stages)
    if set(ORDER[:3]) <= found.keys():
        stages["classify"] = with_usual(folder, stages["classify"])
    pipeline = Pipeline(list(stages.values()))
    if (folder / FILE).is_file():
        found["familiar"] = folder / FILE
    digests = {name: file_digest(path) for name, path in found.items()}
    return Chain(pipeline.eval(), digests, _trained_on(next(iter(found.values()))))


def _check_complete(folder: Path, stages: dict[str, Stage]) -> None:
    """ValueError where a stage reads what a file that is not there would have written."""
    written = {quantity for stage in stages.values() for quantity in stage.writes}
    for name in [name for name in WRITTEN_BY if name not in stages]:
        lacking = set(WRITTEN_BY[name]) - written
        for stage in stages.values():
            if needed := [each.name for each in stage.reads if each in lacking]:
                raise ValueError(
                    f"{folder} has no {name}.safetensors, whose `{needed[0]}` "
                    f"{type(stage).__name__} reads"
                )


def _trained_on(weights: Path) -> dict[str, Any]:
    card = weights.with_suffix(".json")
    if not card.is_file():
        return {}
    simulation: dict[str, Any] = read_json(card).get("recipe", {}).get("simulation", {})
    return simulation


def _within(values: Sequence[float], pair: Sequence[float]) -> bool:
    return all(0.95 * pair[0] <= value <= 1.05 * pair[1] for value in values)
