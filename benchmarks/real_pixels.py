"""The chain on real pixels: HSC galaxies with and without injected arcs, and DES galaxies.

python benchmarks/real_pixels.py SHARED_DATA OUT [WEIGHTS]

For the eight HSC systems: correlation of the deblended image with the true arcs, beside that of
the classical baseline (the best-fitting elliptical galaxy subtracted); p_lens of all. Writes
benchmarks/results/real_pixels.json and the runs' pages under OUT.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from astropy.io import fits

from lensmill.evaluation.baseline import subtract
from lensmill.physics.surveys import DES_WIDE, HSC_WIDE
from lensmill.provenance import provenance
from lensmill.survey.run import Options, run
from lensmill.survey.stamps import Reading, Stamp, find_objects, read

HSC = Reading(survey=HSC_WIDE, hdus=(1, 3, 5))
DES = Reading(survey=DES_WIDE, pixel_scale=0.263)
ARCS = (2, 4, 6)
RESULT = Path(__file__).parent / "results/real_pixels.json"


def without_arcs(folder: Path, out: Path) -> Path:
    """The HSC files with their arcs taken out again: real galaxies that are no lenses."""
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.glob("*.fits")):
        with fits.open(path) as hdus:
            for image, arcs in zip(HSC.hdus or (), ARCS, strict=True):
                hdus[image].data = hdus[image].data - hdus[arcs].data
            hdus.writeto(out / path.name, overwrite=True)
    return out


def correlation(image: np.ndarray, truth: np.ndarray) -> float:
    """Pearson correlation over the pixels of all bands."""
    return float(np.corrcoef(image.ravel(), truth.ravel())[0, 1])


def baseline_residual(stamp: Stamp) -> np.ndarray:
    """The image less the best-fitting elliptical galaxy."""
    arrays = (stamp.image, stamp.sky_sigma, stamp.psf_fwhm)
    return subtract(*map(torch.from_numpy, arrays), stamp.pixel_scale).numpy()


def arcs_found(folder: Path, run_folder: Path) -> list[dict[str, float | str]]:
    """Correlations with the true arcs, one row per system."""
    rows: list[dict[str, float | str]] = []
    images = sorted((run_folder / "images").glob("*.fits"))
    for entry, image in zip(find_objects(folder, HSC), images, strict=True):
        (stamp,) = read(entry, HSC)
        with fits.open(entry.files[0]) as hdus:
            truth = np.stack([hdus[k].data for k in ARCS])
        with fits.open(image) as hdus:
            source = hdus["SOURCE"].data
        rows.append(
            {
                "id": entry.id,
                "correlation_deblended": correlation(source, truth),
                "correlation_baseline": correlation(baseline_residual(stamp), truth),
            }
        )
    return rows


def scores(run_folder: Path) -> dict[str, float]:
    """p_lens of every object of a run."""
    table = pq.read_table(run_folder / "catalogue.parquet").to_pylist()
    return {row["id"]: round(row["p_lens"], 4) for row in table if row["p_lens"] is not None}


def main(shared: Path, out: Path, weights: Path | None) -> None:
    real = shared / "real"
    folders = {
        "hsc_with_arcs": (real / "hsc_injected", HSC),
        "hsc_without_arcs": (without_arcs(real / "hsc_injected", out / "without"), HSC),
        "des_red_galaxies": (real / "des_red_galaxies", DES),
        "des_lrg_with_psf": (real / "des_lrg_with_psf", DES),
        "des_lens_J0330": (real / "des_lens_J0330", DES),
    }
    p_lens = {}
    for name, (folder, reading) in folders.items():
        run(folder, out / name, reading=reading, weights=weights, options=Options(images=True))
        p_lens[name] = scores(out / name)
    rows = arcs_found(real / "hsc_injected", out / "hsc_with_arcs")
    keys = ("correlation_deblended", "correlation_baseline")
    medians = {f"{key}_median": float(np.median([row[key] for row in rows])) for key in keys}
    result = {"arcs": rows, **medians, "p_lens": p_lens}
    command = "benchmarks/real_pixels.py SHARED_DATA OUT"
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({**result, **provenance(command=command)}, indent=1))
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    shared_data, out_folder, *rest = map(Path, sys.argv[1:])
    main(shared_data, out_folder, rest[0] if rest else None)
