"""Checkpoint: weights that say what they are, and the state from which training goes on.

Weights are safetensors with the stage's recipe in the header, so a file is all one needs, and
loading one never runs code from it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from lensmill.stages.base import Stage
from lensmill.training.build import build_stage
from lensmill.training.recipe import StageRecipe

FORMAT = "lensmill-stage-1"


def save_stage(path: Path, stage: Stage, recipe: StageRecipe, half: bool = False) -> None:
    """Write weights and recipe; `half` rounds weights to float16 for shipping."""
    tensors = stage.state_dict()
    if half:
        tensors = {k: v.half() if v.is_floating_point() else v for k, v in tensors.items()}
    metadata = {"format": FORMAT, "recipe": recipe.model_dump_json()}
    write_tensors(path, tensors, metadata)


def amend(path: Path, **changes: Tensor) -> None:
    """Change tensors of a weights file, or add some; all else stays as it is."""
    tensors, metadata = read_tensors(path)
    write_tensors(path, {**tensors, **changes}, metadata)


def load_stage(path: Path, trust: bool = False) -> Stage:
    """The stage in a weights file, in evaluation mode, float32.

    ValueError where the file is no weights of ours, or names a part outside this package and
    `trust` does not allow importing it.
    """
    tensors, metadata = read_tensors(path)
    if metadata.get("format") != FORMAT:
        raise ValueError(f"{path} holds no lensmill stage (format {metadata.get('format')!r})")
    floats = {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
    try:
        recipe = StageRecipe.model_validate_json(metadata["recipe"])
        stage = build_stage(recipe, trusted=trust)
        stage.load_state_dict(floats)
    except (KeyError, ValueError, RuntimeError) as error:
        raise ValueError(f"cannot load {path}: {error}") from None
    return stage.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def save_state(
    path: Path,
    module: nn.Module,
    average: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    progress: dict[str, Any],
) -> None:
    """Everything a training needs to go on as if it had never stopped."""
    tensors = {f"stage.{name}": value for name, value in module.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in average.items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{key}": value for key, value in state.items()}
    write_tensors(path, tensors, {"progress": json.dumps(progress)})


def load_state(
    path: Path, module: nn.Module, average: dict[str, Tensor], optimizer: torch.optim.Optimizer
) -> dict[str, Any]:
    """Put a saved state into `module`, `average` and `optimizer`; returns the progress.

    ValueError where the file is no state, or that of another stage or network.
    """
    tensors, metadata = read_tensors(path)
    try:
        _restore(tensors, module, average, optimizer)
        progress: dict[str, Any] = json.loads(metadata["progress"])
    except (KeyError, ValueError, RuntimeError) as error:
        message = f"{path} is no state of this training (resume=False starts anew): {error}"
        raise ValueError(message) from None
    return progress


def _restore(
    tensors: dict[str, Tensor],
    module: nn.Module,
    average: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
) -> None:
    module.load_state_dict(_under(tensors, "stage."))
    for name, value in _under(tensors, "average.").items():
        average[name].copy_(value)
    saved = optimizer.state_dict()
    saved["state"] = {}
    for name, value in _under(tensors, "optimizer.").items():
        index, key = name.split(".", 1)
        saved["state"].setdefault(int(index), {})[key] = value
    optimizer.load_state_dict(saved)


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file."""
    if not path.is_file():
        raise ValueError(f"no weights {path}")
    try:
        with safe_open(path, "pt") as file:
            names = list(file.keys())
            return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"{path} is not a safetensors file: {error}") from None


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """A safetensors file, written aside, then renamed: a killed run never leaves half a file.
    (safetensors' own `save_file` makes files that only their owner may read.)"""
    kept = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".part")
    aside.write_bytes(save(kept, metadata))
    aside.replace(path)
