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
from lensmill.survey.run import reading_of
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
    `stamps` that the run read, as `reading` says. ValueError names what is missing, the choices of
    `to`, and what of an earlier export would stay in `out`.
    """
    if to not in FORMATS:
        raise ValueError(f"cannot export to {to!r}; choices: {', '.join(FORMATS)}")
    if to == "mmu":
        return Exported(out, _write_images(folder, out, stamps, reading))
    run = finished_run(folder)
    if to in PER_CANDIDATE:
        return _write_candidates(run, out, to, candidates(run.table, p_lens, ids))
    return _write_catalogue(run, out, to)


def _write_images(folder: Path, out: Path, stamps: Path | None, reading: Reading | None) -> int:
    """Those of a data set, or of the stamps that a run read; their number."""
    _leave_nothing(out, "part-*.parquet")
    if (folder / "manifest.json").is_file():
        return write_data_set(folder, out)
    run = finished_run(folder)
    if stamps is None:
        raise ValueError("mmu: give the stamps that the run read")
    return write_stamps(run, stamps, reading_of(folder, reading), out)


def _write_candidates(run: FinishedRun, out: Path, to: str, rows: list[Row]) -> Exported:
    """One JSON each, and with lenstronomy's the script that fits them."""
    named = {_name(number, row["id"]): row for number, row in enumerate(rows)}
    _leave_nothing(out, "[0-9][0-9][0-9][0-9][0-9]_*.json", named)
    out.mkdir(parents=True, exist_ok=True)
    for name, row in named.items():
        text = json.dumps(PER_CANDIDATE[to](row, run.bands), indent=1)
        (out / name).write_text(text + "\n")
    if to == "lenstronomy":
        shutil.copyfile(Path(__file__).with_name(FIT), out / "fit.py")
    return Exported(out, len(rows))


def _name(number: int, identifier: str) -> str:
    return f"{number:05d}_{harmless(identifier)}".rstrip("._") + ".json"


def _leave_nothing(out: Path, pattern: str, written: Collection[str] = ()) -> None:
    """ValueError where `out` holds files of an earlier export that are not `written` again.

    What fit.py made of a start is none.
    """
    there = (path.name for path in out.glob(pattern) if not path.stem.endswith("_fit"))
    if left := sorted(set(there) - set(written)):
        raise ValueError(
            f"{out} would keep {left[0]} of an earlier export ({len(left)} such files): empty it, "
            "or choose another --out"
        )


def _write_catalogue(run: FinishedRun, out: Path, to: str) -> Exported:
    if to == "hats":
        return Exported(out, write_hats(run.table, out))
    out.mkdir(parents=True, exist_ok=True)
    write_catalogue(run.table, out / CATALOGUES[to])
    return Exported(out / CATALOGUES[to], run.table.num_rows)
