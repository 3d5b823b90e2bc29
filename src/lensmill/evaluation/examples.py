"""Examples: the pictures of a few systems, kept beside an evaluation for its figures."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lensmill.evaluation.claims import pictures
from lensmill.physics.display import BANDS
from lensmill.quantities import Batch

FILE = "examples.npz"
EACH = 4
"""Systems of either kind, the first of the first batch: nobody chose them."""
ROWS = {
    "noisy": "Noisy",
    "denoised": "Noiseless-ML",
    "deblended_chained": "Deblended-ML-ML",
    "deblended_from_truth": "Deblended-Sim-ML",
    "source": "Deblended (truth)",
}
"""The rows of the paper's Figure 2 and their names there, and the truth."""

Examples = Mapping[str, NDArray[np.generic]]


def chosen(truth: Batch, predicted: Mapping[str, Batch]) -> dict[str, NDArray[np.generic]]:
    """Pictures (example, y, x, 3) in the paper's display space by the names of `ROWS`, and
    is_lens and theta_E (arcsec); lenses first. Empty unless there are three bands."""
    if truth["noisy"].shape[1] != BANDS:
        return {}
    lens = truth["is_lens"] > 0.5
    rows = torch.cat([torch.nonzero(each)[:EACH, 0] for each in (lens, ~lens)])
    few = {way: _selected(batch, rows) for way, batch in predicted.items()}
    found = pictures(_selected(truth, rows), few)
    return {
        **{name: _pixels(found[name]) for name in ROWS},
        "is_lens": lens[rows].numpy(),
        "theta_E": truth["theta_E"][rows].numpy(),
    }


def _selected(batch: Batch, rows: Tensor) -> Batch:
    return {name: value[rows] for name, value in batch.items()}


def _pixels(picture: Tensor) -> NDArray[np.uint8]:
    """Eight-bit pictures, row 0 at the bottom."""
    pixels: NDArray[np.uint8] = picture.permute(0, 2, 3, 1).flip(1).to(torch.uint8).numpy()
    return pixels


def save_examples(out: Path, examples: Examples) -> None:
    """Write examples.npz, if there is anything to write."""
    if not examples:
        return
    aside = out / "examples.part"
    with aside.open("wb") as file:
        np.savez_compressed(file, **examples)  # type: ignore[arg-type]
    aside.replace(out / FILE)


def load_examples(folder: Path) -> Examples:
    """What `save_examples` wrote; empty where it wrote nothing. ValueError names a broken file."""
    path = folder / FILE
    if not path.is_file():
        return {}
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in (*ROWS, "is_lens", "theta_E")}
    except (KeyError, OSError, ValueError) as error:
        raise ValueError(f"{path} holds no examples of an evaluation: {error}") from None
