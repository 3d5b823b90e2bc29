"""Weights between those of two trainings, of which the second set out from the first's.

    python benchmarks/interpolate.py FIRST SECOND OUT STAGE=SHARE ...

Of each STAGE: (1 − SHARE) of the tensors of FIRST/STAGE.safetensors and SHARE of those of SECOND,
into OUT, with SECOND's card, which says so. A network trained on from another on harder data is
better at these and worse at the old ones; half-way there it can be as good at both (Wortsman et
al. 2022). Temperatures, spreads and tilts are the first's.
"""

import argparse
import json
from pathlib import Path

from torch import Tensor

from lensmill.provenance import file_digest
from lensmill.training.checkpoint import read_tensors, write_tensors

FITTED = ("temperature", "spread", "tilt")
"""Numbers that were fitted to a network when it was trained."""


def between(first: dict[str, Tensor], second: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """(1 − share) · first + share · second, tensor by tensor; what was fitted, of the first."""
    if first.keys() - set(FITTED) != second.keys() - set(FITTED):
        raise ValueError("not the same networks")
    return {
        name: value if name in FITTED else value.float().lerp(second[name].float(), share)
        for name, value in first.items()
    }


def interpolate(first: Path, second: Path, out: Path, name: str, share: float) -> None:
    """One stage and its card."""
    paths = [folder / f"{name}.safetensors" for folder in (first, second)]
    (old, _), (new, metadata) = map(read_tensors, paths)
    write_tensors(out / f"{name}.safetensors", between(old, new, share), metadata)
    card = json.loads((second / f"{name}.json").read_text())
    source = {"share": share, "first": file_digest(paths[0]), "second": file_digest(paths[1])}
    (out / f"{name}.json").write_text(json.dumps({**card, "interpolated": source}, indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("first", "second", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("stages", nargs="+", help="STAGE=SHARE")
    given = parser.parse_args()
    for each in given.stages:
        name, share = each.split("=")
        interpolate(given.first, given.second, given.out, name, float(share))


if __name__ == "__main__":
    main()
