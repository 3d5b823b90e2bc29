"""A tile: positions per second and peak memory, cutting stamps from one synthetic coadd.

    python benchmarks/tile.py [POSITIONS] [SIDE]

One tile of SIDE × SIDE pixels in three bands, each with variance and mask, as Rubin writes them
(plain, and compressed as DES and the Legacy Surveys do); 64 × 64 pixels around each position, with
everything estimated that a run needs. Memory is that of a process of its own that only reads.
The load average of the machine is noted before and after: what else runs makes a second of the
clock worth less, and leaves a second of the processor much the same.
Writes benchmarks/results/tile.json.
"""

import json
import multiprocessing
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from lensmill.provenance import provenance
from lensmill.survey.stamps import Reading, Stamp, find_objects, read
from survey import peak_memory

RESULTS = Path(__file__).parent / "results" / "tile.json"
SIGMA = {"g": 2.0, "r": 3.0, "i": 5.0}
SCALE = 0.2


def wcs(side: int) -> WCS:
    """Of a tile with (150°, 2°) at its centre."""
    made = WCS(naxis=2)
    made.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    made.wcs.cdelt = [-SCALE / 3600, SCALE / 3600]
    made.wcs.crpix = [(side + 1) / 2] * 2
    made.wcs.crval = [150.0, 2.0]
    return made


def write_tile(folder: Path, side: int, compressed: bool) -> int:
    """Bytes of the files written."""
    rng = np.random.default_rng(0)
    cards = wcs(side).to_header()
    for band, sigma in SIGMA.items():
        image = rng.normal(scale=sigma, size=(side, side)).astype(np.float32)
        image[::50, ::50] += 100 * sigma
        mask = (rng.random((side, side)) < 1e-4).astype(np.int32)
        variance = np.full((side, side), sigma**2, np.float32)
        masked = fits.Header([*cards.cards, ("MP_BAD", 0), ("HIERARCH MP_DETECTED", 5)])
        images = {"IMAGE": (image, cards), "MASK": (mask, masked), "VARIANCE": (variance, cards)}
        kind = fits.CompImageHDU if compressed else fits.ImageHDU
        hdus = [kind(data, header, name=name) for name, (data, header) in images.items()]
        path = folder / f"deep_coadd_1_2_{band}_benchmark.fits"
        fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    return sum(path.stat().st_size for path in folder.iterdir())


def write_positions(path: Path, count: int, side: int) -> None:
    """Anywhere on the tile, with few at its edges."""
    pixels = np.random.default_rng(1).uniform(0, side - 1, (count, 2))
    ra, dec = wcs(side).all_pix2world(pixels, 0).T
    Table({"id": np.arange(count), "ra": ra, "dec": dec}).write(path)


def measure(folder: Path, positions: Path, results: Any) -> None:
    """Seconds to place and to read everything, and the memory it took beyond the imports."""
    before, start, cpu = peak_memory(), time.perf_counter(), time.process_time()
    reading = Reading(positions=positions)
    entries = find_objects(folder, reading)
    placed = time.perf_counter()
    good = sum(isinstance(item, Stamp) for entry in entries for item in read(entry, reading))
    results.put(
        {
            "stamps": good,
            "entries": len(entries),
            "seconds_to_place": placed - start,
            "seconds_to_read": time.perf_counter() - placed,
            "cpu_seconds": time.process_time() - cpu,
            "peak_memory_mb": peak_memory(),
            "memory_beyond_imports_mb": peak_memory() - before,
        }
    )


def alone(folder: Path, positions: Path) -> dict[str, Any]:
    """`measure` in a new process."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=measure, args=(folder, positions, results))
    process.start()
    found: dict[str, Any] = results.get()
    process.join()
    return found


def main(count: int = 2000, side: int = 4096) -> None:
    """Measure both kinds of tile and write the figures."""
    figures: dict[str, Any] = {}
    load = [os.getloadavg()[0]]
    for name, compressed in (("plain", False), ("compressed", True)):
        with tempfile.TemporaryDirectory() as temporary:
            folder, positions = Path(temporary) / "tiles", Path(temporary) / "positions.parquet"
            folder.mkdir()
            size = write_tile(folder, side, compressed)
            write_positions(positions, count, side)
            found = alone(folder, positions)
        seconds = found["seconds_to_place"] + found["seconds_to_read"]
        rates = {
            "positions_per_s": count / seconds,
            "positions_per_cpu_s": count / found["cpu_seconds"],
        }
        figures[name] = {**found, "tile_mb": size / 2**20, **rates}
        print(name, {key: round(value) for key, value in rates.items()}, found["peak_memory_mb"])
    about = {"positions": count, "side": side, "cut": [64, 64], "bands": list(SIGMA)}
    load.append(os.getloadavg()[0])
    machine = {"machine": platform.processor() or platform.machine(), "load_average": load}
    RESULTS.write_text(json.dumps({**about, **figures, **machine, **provenance()}, indent=1) + "\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
