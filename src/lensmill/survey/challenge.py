"""Challenge: a catalogue as a submission to the LSST Strong Lensing Data Challenge (2025).

Columns, their order and -99 for what is not given: as one team's public submissions have them; the
organisers' own description was not at hand. `preds` is 1 or 0, here p_lens from 0.5 on. `Rein` is
θ_E in arcsec. Ellipticities and angles stay at -99: their convention could not be found out.
"""

import csv
from pathlib import Path

import pyarrow as pa

MISSING = -99
THRESHOLD = 0.5
"""Of p_lens, which is for as many lenses as non-lenses; the challenge's training set has them."""

COLUMNS = (
    "id",
    "preds",
    "RA",
    "Dec",
    "zlens",
    "vel disp",
    *("ell_m", "ell_m_PA", "sh", "sh_PA", "Rein"),
    *("ell_l", "ell_l_PA", "Reff_l", "n_l_sers"),
    *(f"mag_lens_{band}" for band in "grizy"),
    *("zsrc", "srcx", "srcy"),
    *(f"mag_src_{band}" for band in "grizy"),
    *("ell_s", "ell_s_PA", "Reff_s", "n_s_sers"),
)
OURS = {"RA": "ra", "Dec": "dec", "Rein": "theta_E"}


def is_submission(path: Path) -> bool:
    """Whether a catalogue of this name is one: `submission….csv`."""
    return path.suffix == ".csv" and path.name.startswith("submission")


def write_submission(table: pa.Table, path: Path) -> None:
    """A row for each of the catalogue's; objects without a result count as no lens."""
    columns = [table[name].to_pylist() for name in ("id", "p_lens", *OURS.values())]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval=MISSING)
        writer.writeheader()
        for name, p_lens, *values in zip(*columns, strict=True):
            known = {k: f"{v:.7g}" for k, v in zip(OURS, values, strict=True) if v is not None}
            lens = p_lens is not None and p_lens >= THRESHOLD
            writer.writerow({"id": name.rsplit("/", 1)[-1], "preds": int(lens), **known})
