"""Familiar: `familiar.safetensors`, what the training's systems look like to a folder's weights."""

from pathlib import Path

from lensmill.provenance import digest
from lensmill.stages.base import Stage
from lensmill.stages.classify import Classify
from lensmill.stages.familiar import Familiar
from lensmill.stages.usual import Usual
from lensmill.training.checkpoint import read_tensors, write_tensors

FILE = "familiar.safetensors"
FORMAT = "lensmill-familiar-1"


def save_usual(folder: Path, usual: Usual, classify: Classify) -> None:
    """Write `usual` beside the weights whose features it is of."""
    write_tensors(
        folder / FILE,
        {name: value.half() for name, value in usual.state_dict().items()},
        {"format": FORMAT, "network": network_digest(classify)},
    )


def with_usual(folder: Path, classify: Stage) -> Stage:
    """`classify` as a stage that also writes `ood`, if the folder says what is usual.

    ValueError where the file is broken, or is of another classifier's features.
    """
    path = folder / FILE
    if not path.is_file() or not isinstance(classify, Classify):
        return classify
    tensors, metadata = read_tensors(path)
    if metadata.get("format") != FORMAT:
        raise ValueError(f"{path} says not what is usual (format {metadata.get('format')!r})")
    if metadata.get("network") != network_digest(classify):
        raise ValueError(
            f"{path} is of another classifier than the one beside it: run lensmill calibrate again"
        )
    usual = Usual({name: value.float() for name, value in tensors.items()})
    return Familiar(classify, usual).eval()


def network_digest(classify: Classify) -> str:
    """Of a network's weights in float16, as they are shipped; calibration does not change it."""
    values = classify.network.state_dict().values()
    return digest(b"".join(value.half().cpu().contiguous().numpy().tobytes() for value in values))
