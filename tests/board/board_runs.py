"""Runs as the board finds them, made without a network: rows, part files, images."""

import json
from pathlib import Path

import numpy as np
from astropy.io import fits
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from lensmill.survey.arrivals import LINES
from lensmill.survey.catalogue import as_table, write_catalogue

TOKEN = "a token"
HOME = "http://127.0.0.1:8765"
SHAPE = (31, 37)
BANDS = ("g", "r", "i")
HOSTILE = (
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "\"'><img src=x onerror=alert(1)>",
    "=1+1",
)


def row(number: int, name: str | None = None) -> dict:
    """A row of the catalogue; the larger the number, the less likely and the larger the lens."""
    theta_E = 0.5 + 0.02 * number
    return {
        "id": name or f"object {number:03d}",
        "source": f"file_{number:03d}.fits",
        "ra": 150.0 + number,
        "dec": 2.0,
        "p_lens": 1 / (1 + number),
        "theta_E": theta_E,
        "theta_E_16": theta_E - 0.05,
        "theta_E_84": theta_E + 0.06,
        "e1": 0.1,
        "e1_error": 0.02,
        "e2": -0.05,
        "e2_error": 0.03,
        "q": 0.8,
        "q_16": 0.7,
        "q_84": 0.9,
        "position_angle_deg": 20.0,
        "position_angle_error_deg": 5.0,
        "source_snr": 30.0 if number % 2 else np.nan,
        "pixel_scale": 0.2,
        "psf_fwhm": [0.9, 0.8, 0.7],
        "sky_sigma": [1.0, 2.0, 4.0],
        "flags": "psf_assumed;sky_sigma_estimated" if number % 3 == 0 else "",
        "weights": "abc",
    }


def failed(number: int) -> dict:
    name = f"bad {number}"
    return {"id": name, "source": f"{name}.fits", "flags": "all_nan", "reason": "nothing in it"}


def write_part(run: Path, part: int, rows: list[dict]) -> None:
    (run / "parts").mkdir(parents=True, exist_ok=True)
    write_catalogue(as_table(rows), run / "parts" / f"part-{part:05d}.parquet")


def write_watched(run: Path, part: int, rows: list[dict]) -> None:
    """A part, and the watch's word that it is whole."""
    write_part(run, part, rows)
    (run / "run.json").write_text(json.dumps({"bands": BANDS, "watched": "arriving"}))
    with (run / LINES).open("a") as file:
        entries = {each["source"]: [[each["source"], 1, 1]] for each in rows}
        file.write(json.dumps(entries) + "\n")


def write_images(path: Path, seed: int = 0) -> dict[str, np.ndarray]:
    """A FITS file such as --images leaves; what is in it, (band, y, x)."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[-15:16, -18:19]
    sigma = np.array([1.0, 2.0, 4.0])[:, None, None]
    source = sigma * 40 * np.exp(-((np.hypot(x - 6, y - 3) / 2) ** 2))
    lens_light = sigma * 90 * np.exp(-((np.hypot(x, y) / 4) ** 2))
    clean = source + lens_light
    noisy = clean + sigma * generator.standard_normal(clean.shape)
    images = {"INPUT": noisy, "DENOISED": clean, "SOURCE": source, "LENS_LIGHT": lens_light}
    hdus = [fits.PrimaryHDU()]
    for name, data in images.items():
        header = fits.Header({"BANDS": ",".join(BANDS)})
        hdus.append(fits.ImageHDU(data.astype(np.float32), header, name=name))
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.HDUList(hdus).writeto(path)
    return images


def write_picture(path: Path) -> None:
    """Five panels of 160×134 pixels, each of one grey."""
    strip = Image.new("RGB", (5 * 164 - 4, 134))
    for place in range(5):
        strip.paste((50 * place,) * 3, (place * 164, 0, place * 164 + 160, 134))
    shape = PngInfo()
    shape.add_text("shape", "31 37")
    path.parent.mkdir(parents=True, exist_ok=True)
    strip.save(path, pnginfo=shape)


def write_run(folder: Path) -> Path:
    """A run of two parts, 47 objects: the first has a picture, the second images; four hostile
    names, one that failed, and one of the same name and file as another."""
    rows = [row(number) for number in range(40)]
    rows[0]["picture"] = "pictures/00000_00000_object_000.png"
    write_part(folder, 0, rows)
    hostile = [row(40 + number, name) for number, name in enumerate(HOSTILE)]
    write_part(folder, 1, [*hostile, row(44), failed(1), failed(1)])
    (folder / "run.json").write_text(json.dumps({"bands": BANDS, "entries": 47}))
    write_images(folder / "images" / "00000_00001_object_001.fits")
    write_picture(folder / rows[0]["picture"])
    return folder
