"""Export: a finished run, or a data set, in the form in which others read it."""

import json
import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lensmill.survey.autolens_start import autolens_start
from lensmill.survey.candidates import FinishedRun, Row, candidates, finished_run
from lensmill.survey.catalogue import write_catalogue
from lensmill.survey.coolest import coolest
from lensmill.survey.hats import write_hats
from lensmill.survey.lenstronomy_start import lenstronomy_start
from lensmill.survey.multimodal import write_data_set, write_stamps
from lensmill.survey.products import harmless
from lensmill.survey.stamps import Reading

PER_CANDIDATE: dict[str, Callable[[Row, tuple[str, ...]], dict[str, Any]]] = {
    "coolest": coolest,
    "lenstronomy": lenstronomy_start,
    "pyautolens": autolens_start,
}
CATALOGUES = {"votable": "catalogue.vot", "fits": "catalogue.fits"}
FORMATS = (*PER_CANDIDATE, "hats", *CATALOGUES, "mmu")
FIT = "lenstronomy_fit.py"


@dataclass(frozen=True)
class Exported:
    """What was written, and how many objects are in it."""

    path: Path
    objects: int


def export(
    folder: Path,
    out: Path,
    to: str,
    *,
    p_lens: float = 0.5,
    ids: Collection[str] = (),
    stamps: Path | None = None,
    reading: Reading | None = None,
) -> Exported:
    """Write the run (for "mmu" also a data set) in `folder` into the folder `out` as `to`.

    coolest, lenstronomy, pyautolens: one JSON for each candidate, of `ids` or of at least
    `p_lens`. hats, votable, fits: the whole catalogue. mmu: the images of a data set, or the
    `stamps` that the run read, as `reading` says. ValueError names what is missing, and the
    choices of `to`.
    """
    if to not in FORMATS:
        raise ValueError(f"cannot export to {to!r}; choices: {', '.join(FORMATS)}")
    if to == "mmu" and (folder / "manifest.json").is_file():
        return Exported(out, write_data_set(folder, out))
    run = finished_run(folder)
    if to == "mmu":
        if stamps is None:
            raise ValueError("mmu: give the stamps that the run read")
        return Exported(out, write_stamps(run, stamps, reading or Reading(bands=run.bands), out))
    if to in PER_CANDIDATE:
        return _write_candidates(run, out, to, candidates(run.table, p_lens, ids))
    return _write_catalogue(run, out, to)


def _write_candidates(run: FinishedRun, out: Path, to: str, rows: list[Row]) -> Exported:
    """One JSON each, and with lenstronomy's the script that fits them."""
    out.mkdir(parents=True, exist_ok=True)
    for number, row in enumerate(rows):
        text = json.dumps(PER_CANDIDATE[to](row, run.bands), indent=1)
        name = f"{number:05d}_{harmless(row['id'])}".rstrip("._")
        (out / f"{name}.json").write_text(text + "\n")
    if to == "lenstronomy":
        shutil.copyfile(Path(__file__).with_name(FIT), out / "fit.py")
    return Exported(out, len(rows))


def _write_catalogue(run: FinishedRun, out: Path, to: str) -> Exported:
    if to == "hats":
        return Exported(out, write_hats(run.table, out))
    out.mkdir(parents=True, exist_ok=True)
    write_catalogue(run.table, out / CATALOGUES[to])
    return Exported(out / CATALOGUES[to], run.table.num_rows)
