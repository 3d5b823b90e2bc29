"""The chain on real pixels: HSC galaxies with and without injected arcs, and DES galaxies.

    python benchmarks/real_pixels.py SHARED_DATA OUT [WEIGHTS] [--against FOLDER] [--result FILE]

For the eight HSC systems: correlation of the deblended image with the true arcs, beside that of
the classical baseline (the best-fitting elliptical galaxy subtracted). Of all objects: p_lens and,
as the classical score, the S/N of what the fit leaves 0.5" to 4" from the centre. How well either
tells the systems with arcs from the same without, and from DES galaxies, as AUROC. WEIGHTS is a
folder, the shipped one where none is given; --against another, to compare with. Writes
benchmarks/results/real_pixels.json, or FILE, and the runs' pages under OUT.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from astropy.io import fits

from lensmill.evaluation.baseline import subtract
from lensmill.evaluation.metrics import auroc
from lensmill.evaluation.statistics import figure
from lensmill.grid import Grid
from lensmill.physics.surveys import DES_WIDE, HSC_WIDE
from lensmill.provenance import provenance
from lensmill.survey.run import Options, run
from lensmill.survey.stamps import Reading, Stamp, find_objects, read

HSC = Reading(survey=HSC_WIDE, hdus=(1, 3, 5))
DES = Reading(survey=DES_WIDE, pixel_scale=0.263)
ARCS = (2, 4, 6)
RING = (0.5, 4.0)
"""arcsec from the centre, between which lensed images lie."""
WITH = "hsc_with_arcs"
OTHERS = {
    "hsc_without_arcs": ("hsc_without_arcs",),
    "des_galaxies": ("des_red_galaxies", "des_lrg_with_psf"),
    "all_galaxies": ("hsc_without_arcs", "des_red_galaxies", "des_lrg_with_psf"),
}
"""What the systems with arcs are told from."""
Scores = dict[str, dict[str, float]]
"""By folder and object."""
Fits = dict[str, tuple[Stamp, np.ndarray]]
"""By object: it, and what the classical fit leaves of it."""
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


def residuals(folder: Path, reading: Reading) -> Fits:
    """Every object of a folder, and what the classical fit leaves of it."""
    stamps = [each for entry in find_objects(folder, reading) for each in read(entry, reading)]
    return {each.id: (each, baseline_residual(each)) for each in stamps if isinstance(each, Stamp)}


def classical_score(stamp: Stamp, residual: np.ndarray) -> float:
    """S/N of the light left in the ring, over all bands; 0 where nothing could be fitted."""
    y, x = residual.shape[1:]
    radius = torch.hypot(*Grid((y, x), stamp.pixel_scale).coordinates()).numpy()
    ring = (radius > RING[0]) & (radius < RING[1])
    snr = (residual / stamp.sky_sigma[:, None, None])[:, ring]
    return round(float(np.nan_to_num(snr.sum() / snr.size**0.5)), 4)


def arcs_found(folder: Path, run_folder: Path, fitted: Fits) -> list[dict[str, float | str]]:
    """Correlations with the true arcs, one row per system."""
    rows: list[dict[str, float | str]] = []
    images = sorted((run_folder / "images").glob("*.fits"))
    for entry, image in zip(find_objects(folder, HSC), images, strict=True):
        with fits.open(entry.files[0]) as hdus:
            truth = np.stack([hdus[k].data for k in ARCS])
        with fits.open(image) as hdus:
            source = hdus["SOURCE"].data
        _, residual = fitted[entry.id]
        rows.append(
            {
                "id": entry.id,
                "correlation_deblended": correlation(source, truth),
                "correlation_baseline": correlation(residual, truth),
            }
        )
    return rows


def scores(run_folder: Path) -> dict[str, float]:
    """p_lens of every object of a run."""
    table = pq.read_table(run_folder / "catalogue.parquet").to_pylist()
    return {row["id"]: round(row["p_lens"], 4) for row in table if row["p_lens"] is not None}


def told_apart(found: Scores) -> dict[str, dict[str, float]]:
    """AUROC of the systems with arcs against each of `OTHERS`, with its error and number."""
    return {name: vars(_auroc(found, others)) for name, others in OTHERS.items()}


def _auroc(found: Scores, others: tuple[str, ...]) -> Any:
    positive = list(found[WITH].values())
    negative = [score for other in others for score in found[other].values()]
    label = np.arange(len(positive) + len(negative)) < len(positive)
    return figure(auroc, np.array(positive + negative), label)


def folders_of(real: Path, out: Path) -> dict[str, tuple[Path, Reading]]:
    """The folders of real images, and how they are read."""
    return {
        WITH: (real / "hsc_injected", HSC),
        "hsc_without_arcs": (without_arcs(real / "hsc_injected", out / "without"), HSC),
        "des_red_galaxies": (real / "des_red_galaxies", DES),
        "des_lrg_with_psf": (real / "des_lrg_with_psf", DES),
        "des_lens_J0330": (real / "des_lens_J0330", DES),
    }


def measured(
    folders: dict[str, tuple[Path, Reading]], out: Path, weights: Path | None, fitted: Fits
) -> dict[str, Any]:
    """What one chain makes of them; `fitted` are those with arcs."""
    p_lens: Scores = {}
    for name, (folder, reading) in folders.items():
        run(folder, out / name, reading=reading, weights=weights, options=Options(images=True))
        p_lens[name] = scores(out / name)
    rows = arcs_found(folders[WITH][0], out / WITH, fitted)
    keys = ("correlation_deblended", "correlation_baseline")
    medians = {f"{key}_median": float(np.median([row[key] for row in rows])) for key in keys}
    state = json.loads((out / WITH / "run.json").read_text())
    return {
        "weights": state["weights"],
        "arcs": rows,
        **medians,
        "p_lens": p_lens,
        "auroc": told_apart(p_lens),
    }


def classical(fitted: dict[str, Fits]) -> dict[str, Any]:
    """The classical score of everything."""
    found = {
        name: {key: classical_score(*each) for key, each in fits_of.items()}
        for name, fits_of in fitted.items()
    }
    return {"score": found, "auroc": told_apart(found)}


def table(result: dict[str, Any]) -> str:
    """The comparison as lines of a terminal."""
    classical_fit = {
        **result["classical"],
        "correlation_deblended_median": result["correlation_baseline_median"],
    }
    against = {"against": result["against"]} if "against" in result else {}
    columns = {"weights": result, **against, "classical": classical_fit}
    lines = [_line("", list(columns))]
    for other in OTHERS:
        cells = (each["auroc"][other] for each in columns.values())
        values = [f"{each['value']:.3f} ± {each['error']:.3f}" for each in cells]
        lines.append(_line(f"AUROC, {WITH} from {other}", values))
    medians = [f"{each['correlation_deblended_median']:.3f}" for each in columns.values()]
    return "\n".join([*lines, _line("correlation with the true arcs, median", medians)])


def _line(text: str, cells: list[str]) -> str:
    return f"{text:44s}" + "".join(f"{cell:>18s}" for cell in cells)


def main() -> None:
    """Run, score, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("weights", type=Path, nargs="?")
    parser.add_argument("--against", type=Path)
    parser.add_argument("--result", type=Path, default=RESULT)
    given = parser.parse_args()
    folders = folders_of(given.shared / "real", given.out)
    fitted = {name: residuals(*each) for name, each in folders.items()}
    result = measured(folders, given.out, given.weights, fitted[WITH])
    if given.against:
        result["against"] = measured(folders, given.out / "against", given.against, fitted[WITH])
    result["classical"] = classical(fitted)
    options = [given.weights and "WEIGHTS", given.against and "--against FOLDER"]
    command = " ".join(filter(None, ["benchmarks/real_pixels.py SHARED_DATA OUT", *options]))
    given.result.parent.mkdir(exist_ok=True)
    given.result.write_text(json.dumps({**result, **provenance(command=command)}, indent=1))
    print(table(result))


if __name__ == "__main__":
    main()
