"""What is between the chained source and the information limit, in display PSNR.

python benchmarks/gap.py WEIGHTS RECIPE LIMITS.parquet [RESULT.json]

On the systems of the test split that have limits (`lensmill limits`), without a lens and with one,
by the source's S/N: the chained source as it is; as it is where everything is seen all eight ways
up; as it would be if, in each band, somebody who knows the true source set its amplitude; if they
also took from it, where it is not dark, as much of the true lens light as there is in it; and the
limit. Writes RESULT (in benchmarks/results: gap.json).
"""

import json
import math
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lensmill.evaluation.files import plain, read_parquet
from lensmill.evaluation.statistics import figure, mean
from lensmill.evaluation.table import Table
from lensmill.physics.display import calibrated, display_psnr
from lensmill.provenance import provenance
from lensmill.quantities import Batch
from lensmill.simulation.shards import FIRST_INDEX
from lensmill.stages.averaged import Averaged
from lensmill.survey.chain import load_chain
from lensmill.training.loader import Loader
from lensmill.training.recipe import read_recipe

RESULTS = Path(__file__).parent / "results" / "gap.json"
BATCH = 16
EDGES = {"no lens": (0.0, 10.0, 20.0, math.inf), "lens": (20.0, 40.0, 80.0, math.inf)}
"""S/N of the sources of a row, by what the systems are."""
DARK = 0.05
"""Sky sigmas below which a deblended pixel is dark."""


def best(source: Tensor, true: Tensor, parts: list[Tensor]) -> Tensor:
    """`source` plus, in each band, the multiples of `parts` that bring it nearest to `true`."""
    basis = torch.stack(parts, 2).flatten(3).double()  # batch, band, part, pixel
    missing = (true - source).flatten(2).double()
    square = basis @ basis.mT
    # a dark image, or one without lens light left in it, gives no equation
    ridge = 1e-9 * square.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None] + 1e-30
    square = square + ridge * torch.eye(len(parts), dtype=square.dtype)
    share = torch.linalg.solve(square, basis @ missing[..., None])
    return source + (share.mT @ basis)[..., 0, :].reshape(source.shape).to(source)


def seen(truth: Batch, source: Tensor, averaged: Tensor) -> Table:
    """A row for each system: its display PSNR, as deblended and with what was known better.

    averaged: the source of the sky turned all eight ways.
    """
    bright = source.abs() > DARK * truth["sky_sigma"][..., None, None]
    lens = (truth["clean"] - truth["source"]) * bright
    noisy, true = (calibrated(truth[name], truth["zero_point"]) for name in ("noisy", "source"))
    images = {
        "chained": source,
        "averaged": averaged,
        "amplitude_known": best(source, truth["source"], [source]),
        "leak_known": best(source, truth["source"], [source, lens]),
    }
    return {
        name: display_psnr(calibrated(image, truth["zero_point"]), true, noisy).numpy()
        for name, image in images.items()
    }


def rows(limits: Table) -> Iterator[tuple[str, np.ndarray]]:
    """Names and systems of the rows."""
    lens, snr = limits["is_lens"].astype(bool), limits["source_snr"]
    yield "all", np.ones_like(lens)
    for kind, edges in EDGES.items():
        for low, high in pairwise(edges):
            name = f"{low:.0f} to {high:.0f}" if high < math.inf else f"above {low:.0f}"
            chosen = (lens == (kind == "lens")) & (low <= snr) & (snr < high)
            yield f"{kind}, S/N {name}", chosen


@torch.no_grad()
def main() -> None:
    weights, recipe, path, *others = sys.argv[1:]
    read = read_parquet(Path(path))
    limits = {name: read[name].to_numpy() for name in read.column_names}
    count = len(limits["index"])
    if not np.array_equal(limits["index"], FIRST_INDEX["test"] + np.arange(count)):
        raise SystemExit(f"{path}: not the first systems of the test split, in their order")
    chain = load_chain(Path(weights))
    averaged = Averaged(list(chain.pipeline.members)).eval()
    loader = Loader.of(read_recipe(Path(recipe)).simulation, BATCH, "test")
    found: list[Table] = []
    for step in range(math.ceil(count / BATCH)):
        truth = loader(step)
        sources = (each.predict(truth)["source"].float() for each in (chain.pipeline, averaged))
        found.append(seen(truth, *sources))
    table = {name: np.concatenate([each[name] for each in found])[:count] for name in found[0]}
    table["limit"] = limits["display_psnr_source_chained_limit"]
    result = {
        name: {key: vars(figure(mean, column[chosen])) for key, column in table.items()}
        for name, chosen in rows(limits)
    }
    command = " ".join(["python benchmarks/gap.py", *sys.argv[1:]])
    told = {"rows": result, **provenance(weights=chain.digests), "command": command}
    to = Path(others[0]) if others else RESULTS
    to.write_text(json.dumps(plain(told), indent=1, ensure_ascii=False) + "\n")
    print(json.dumps(result, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
