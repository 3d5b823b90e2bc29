"""A run of many objects as `lensmill run --images` leaves it, without running anything."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from lensmill.survey.catalogue import as_table, write_catalogue
from lensmill.survey.manifest import part_path
from lensmill.survey.partitions import SIZE
from lensmill.survey.products import safe_name

BANDS = ("g", "r", "i")
SHAPE = (64, 64)
MASTERS = 256
"""Image files; those of all objects are links to them."""


def rows(count: int) -> Iterator[dict[str, Any]]:
    """Rows as a run's: one in fifty could not be read, one in five is likely a lens."""
    rng = np.random.default_rng(0)
    for number in range(count):
        name = {"id": f"object {number:06d}", "source": f"object_{number:06d}.fits"}
        if number % 50 == 49:
            yield {**name, "flags": "all_nan", "reason": "every pixel is NaN"}
            continue
        theta_E, e1, e2 = rng.uniform(0.4, 2.5), *rng.normal(0, 0.1, 2)
        yield {
            **name,
            "ra": rng.uniform(0, 360),
            "dec": rng.uniform(-60, 0),
            "p_lens": rng.beta(0.3, 1.2),
            "theta_E": theta_E,
            "theta_E_16": theta_E - 0.05,
            "theta_E_84": theta_E + 0.06,
            "e1": e1,
            "e1_error": 0.03,
            "e2": e2,
            "e2_error": 0.03,
            "q": 0.8,
            "q_16": 0.7,
            "q_84": 0.9,
            "position_angle_deg": rng.uniform(0, 180),
            "position_angle_error_deg": 5.0,
            "source_snr": rng.exponential(30),
            "pixel_scale": 0.2,
            "psf_fwhm": [0.9, 0.8, 0.7],
            "sky_sigma": [1.0, 1.0, 1.0],
            "flags": "psf_assumed" if number % 3 else "",
            "weights": "0123456789abcdef",
        }


def write_master(path: Path, seed: int) -> None:
    """Images of a galaxy with an arc, as a run keeps them."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]] - np.array(SHAPE).reshape(2, 1, 1) / 2
    radius, angle = np.hypot(x, y), np.arctan2(y, x) - rng.uniform(0, 2 * np.pi)
    colours = np.array([[0.4, 0.8, 1.0], [1.0, 0.7, 0.5]])[..., None, None]
    arc = np.exp(-(((radius - rng.uniform(6, 14)) / 2) ** 2) + 2 * np.cos(angle))
    light, source = colours[0] * 200 * np.exp(-radius / 4), colours[1] * 8 * arc
    clean = light + source
    noisy = clean + rng.normal(size=clean.shape)
    images = {"INPUT": noisy, "DENOISED": clean, "SOURCE": source, "LENS_LIGHT": light}
    header = fits.Header({"BANDS": ",".join(BANDS)})
    hdus = [fits.ImageHDU(each.astype(np.float32), header, name) for name, each in images.items()]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)


def write_run(run: Path, count: int) -> None:
    """A finished run of `count` objects."""
    masters, images = run.parent / "masters", run / "images"
    for folder in (masters, images, part_path(run, 0).parent):
        folder.mkdir(parents=True)
    for seed in range(MASTERS):
        write_master(masters / f"{seed}.fits", seed)
    every = list(rows(count))
    for part, start in enumerate(range(0, count, SIZE)):
        chunk = every[start : start + SIZE]
        write_catalogue(as_table(chunk), part_path(run, part))
        for number, row in enumerate(chunk):
            if "reason" not in row:
                name = safe_name(row["id"], part, number)
                os.link(masters / f"{number % MASTERS}.fits", images / f"{name}.fits")
    state = {"bands": BANDS, "entries": count, "objects": count}
    (run / "run.json").write_text(json.dumps(state))
