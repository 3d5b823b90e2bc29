"""Simulated arcs in real galaxies: what the chain finds of them, and what else it takes for lenses.

python benchmarks/inject.py SHARED_DATA OUT [WEIGHTS]

Into 46 DES galaxies that are no lenses, and into eight HSC galaxies whose injected arcs are taken
out again. Writes benchmarks/results/inject.json and the curves, docs/inject_des.png and
docs/inject_hsc.png.
"""

import json
import shutil
import sys
from pathlib import Path

from real_pixels import DES, HSC, without_arcs

from lensmill.provenance import provenance
from lensmill.survey.inject import inject

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks/results/inject.json"
ZERO_POINT = {"des": (30.0,), "hsc": (27.0,)}
INJECTIONS = {"des": 8, "hsc": 32}


def main(shared: Path, out: Path, weights: Path | None) -> None:
    real = shared / "real"
    folders = {
        "hsc": (without_arcs(real / "hsc_injected", out / "without"), HSC),
        "des": (real / "des_red_galaxies", DES),
    }
    result = {}
    for name, (folder, reading) in folders.items():
        result[name] = inject(
            folder,
            out / name,
            zero_point=ZERO_POINT[name],
            reading=reading,
            weights=weights,
            injections=INJECTIONS[name],
        )
        shutil.copy(out / name / "inject.png", ROOT / f"docs/inject_{name}.png")
    command = "benchmarks/inject.py SHARED_DATA OUT"
    RESULT.write_text(json.dumps({**result, **provenance(command=command)}, indent=1) + "\n")
    print(json.dumps({name: each["at_threshold"] for name, each in result.items()}, indent=1))


if __name__ == "__main__":
    shared_data, out_folder, *rest = map(Path, sys.argv[1:])
    main(shared_data, out_folder, rest[0] if rest else None)
