"""How hard the paper's data are: display PSNRs of simulated systems, beside the paper's.

    python benchmarks/difficulty.py [SYSTEMS]

The paper: 22.56 (200 images) and 22.71 dB (120,000) for noisy against clean, 14.47 and 13.59 dB for
clean against source. Writes benchmarks/results/difficulty.json.
"""

import json
import sys
from importlib import resources
from pathlib import Path

import torch

from lensmill.physics.display import calibrated, display_psnr
from lensmill.provenance import provenance
from lensmill.simulation.shards import IMAGES
from lensmill.training.loader import Loader
from lensmill.training.recipe import parse_recipe

RESULTS = Path(__file__).parent / "results" / "difficulty.json"
BATCH = 50


def main() -> None:
    """Measure, print and write."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    text = resources.files("lensmill.recipes").joinpath("paper.toml").read_text(encoding="utf-8")
    loader = Loader.of(parse_recipe(text, "paper.toml").simulation, BATCH, "test")
    noisy_psnr, source_psnr = [], []
    for step in range(count // BATCH):
        batch = loader(step)
        noisy, clean, source = (calibrated(batch[n], batch["zero_point"]) for n in IMAGES)
        noisy_psnr.append(display_psnr(noisy, clean, noisy))
        source_psnr.append(display_psnr(clean, source, noisy))
    figures = {
        "noisy_display_psnr": torch.cat(noisy_psnr),
        "clean_vs_source_display_psnr": torch.cat(source_psnr),
    }
    result = {"n": count}
    for name, values in figures.items():
        result[name] = round(float(values.mean()), 2)
        result[f"{name}_error"] = round(float(values.std() / len(values) ** 0.5), 2)
        result[f"{name}_scatter"] = round(float(values.std()), 2)
    command = f"benchmarks/difficulty.py {count}"
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({**result, **provenance(command=command)}, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
