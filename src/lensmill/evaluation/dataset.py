"""Data set: what is in one, seen and counted: 64 systems, distributions, percentiles."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lensmill.evaluation.pictures import DARK, GAP, colour
from lensmill.simulation.scene import Conditions, Scene
from lensmill.simulation.shards import Manifest, read_manifest, read_scenes, read_shard
from lensmill.training.loader import ShardLoader

PERCENTILES = (0, 1, 5, 16, 50, 84, 95, 99, 100)
SIDE = 8
"""Systems along a side of the preview."""
SCALE = 2
"""Its pixels along a side of a system's pixel."""
BINS = 40
WIDTH, HEIGHT, MARGIN, COLUMNS = 300, 170, 24, 3
"""Of a panel and its labels, in pixels; panels in a row."""
LENSES, OTHERS, INK = (255, 150, 60), (100, 160, 255), (220, 220, 225)
Column = NDArray[np.float64]


def describe(folder: Path) -> dict[str, Any]:
    """Write preview.png, distributions.png and statistics.json into a data set; the statistics.

    Of lenses and of non-lenses: θ_E and source and foreground magnitudes (AB, total, undeflected),
    axis ratio of the mass, matched-filter S/N of the source (where images are stored), PSF FWHM
    (arcsec), sky noise (e⁻). ValueError where `folder` holds no data set, or cannot be written.
    """
    manifest = read_manifest(folder)
    table = columns(folder, manifest)
    found = statistics(table, manifest)
    pictures = {"distributions.png": distributions(table), "preview.png": preview(folder)}
    try:
        (folder / "statistics.json").write_text(json.dumps(found, indent=1) + "\n")
        for name, picture in pictures.items():
            picture.save(folder / name)
    except OSError as error:
        raise ValueError(f"the data in {folder} are whole, but not described: {error}") from None
    return found


def columns(folder: Path, manifest: Manifest) -> dict[str, Column]:
    """One value for each system and name, `is_lens` among them; inf for a magnitude of nothing."""
    shards = [_columns_of(folder, manifest, number) for number in range(manifest.shards)]
    return {name: np.concatenate([each[name] for each in shards]) for name in shards[0]}


def _columns_of(folder: Path, manifest: Manifest, number: int) -> dict[str, Column]:
    scene, conditions = read_scenes(folder, manifest, number)
    snr = read_shard(folder, manifest, number, names=("source_snr",))
    found = {"is_lens": scene.is_lens, "theta_E": scene.mass.theta_E, "q": scene.mass.q, **snr}
    per_object = {name: value.numpy().astype(float) for name, value in found.items()}
    return {**per_object, **_per_band(scene, conditions, manifest.bands)}


def _per_band(scene: Scene, conditions: Conditions, bands: tuple[str, ...]) -> dict[str, Column]:
    found = {
        "source_magnitude": _total(scene.source.magnitude.numpy()),
        "foreground_magnitude": _total(scene.foreground.magnitude.numpy()),
        "psf_fwhm": conditions.psf_fwhm.numpy(),
        "sky_sigma": conditions.sky_sigma.numpy(),
    }
    return {
        f"{name}_{band}": value[:, number].astype(float)
        for name, value in found.items()
        for number, band in enumerate(bands)
    }


def _total(magnitude: NDArray[np.floating]) -> Column:
    """Magnitude (batch, band) of all components (batch, component, band) together."""
    with np.errstate(divide="ignore"):
        return np.asarray(-2.5 * np.log10((10 ** (-0.4 * magnitude.astype(float))).sum(1)))


def statistics(table: dict[str, Column], manifest: Manifest) -> dict[str, Any]:
    """Percentiles of every column, for lenses and for non-lenses."""
    is_lens = table["is_lens"] > 0
    return {
        "digest": manifest.digest,
        "seed": manifest.seed,
        "split": manifest.split,
        "count": manifest.count,
        "percentiles": PERCENTILES,
        "lenses": _percentiles(table, is_lens),
        "non_lenses": _percentiles(table, ~is_lens),
    }


def _percentiles(table: dict[str, Column], rows: NDArray[np.bool_]) -> dict[str, Any]:
    found: dict[str, Any] = {"count": int(rows.sum())}
    for name, column in table.items():
        finite = column[rows & np.isfinite(column)]
        if name != "is_lens" and len(finite):
            values = [float(f"{value:.4g}") for value in np.percentile(finite, PERCENTILES)]
            found[name] = {"count": len(finite), "values": values}
    return found


def preview(folder: Path) -> Image.Image:
    """The first systems of a data set, 64 at most, in colour."""
    loader = ShardLoader.of(folder, SIDE**2)
    batch = loader(0)
    images = (batch["noisy"] / batch["sky_sigma"][..., None, None]).numpy()
    y, x = (pixels * SCALE for pixels in images.shape[-2:])
    sheet = Image.new("RGB", (SIDE * (x + GAP) - GAP, -(-len(images) // SIDE) * (y + GAP) - GAP))
    for number, image in enumerate(images):
        row, column = divmod(number, SIDE)
        picture = Image.fromarray(colour(image, loader.bands)).resize((x, y))
        sheet.paste(picture, (column * (x + GAP), row * (y + GAP)))
    return sheet


def distributions(table: dict[str, Column]) -> Image.Image:
    """A histogram of every column: lenses orange, non-lenses blue, each as high as its panel."""
    is_lens = table["is_lens"] > 0
    names = [name for name in table if name != "is_lens"]
    size = (COLUMNS * WIDTH, -(-len(names) // COLUMNS) * HEIGHT)
    sheet = Image.new("RGB", size, DARK)
    for number, name in enumerate(names):
        row, column = divmod(number, COLUMNS)
        panel = _panel(name, table[name], is_lens)
        sheet.paste(panel, (column * WIDTH, row * HEIGHT))
    return sheet


def _panel(name: str, column: Column, is_lens: NDArray[np.bool_]) -> Image.Image:
    panel = Image.new("RGB", (WIDTH, HEIGHT), DARK)
    draw, font = ImageDraw.Draw(panel), ImageFont.load_default(12)
    draw.text((MARGIN, 4), name, INK, font)
    low, high = _range(column)
    edges = np.linspace(low, high, BINS + 1)
    for rows, ink in ((~is_lens, OTHERS), (is_lens, LENSES)):
        counts, _ = np.histogram(column[rows], edges)
        draw.line(_steps(counts / max(1, counts.max())), ink, 2)
    draw.text((MARGIN, HEIGHT - MARGIN + 4), f"{low:.3g}", INK, font)
    draw.text((WIDTH - MARGIN, HEIGHT - MARGIN + 4), f"{high:.3g}", INK, font, anchor="ra")
    return panel


def _range(column: Column) -> tuple[float, float]:
    """Where all but the outermost hundredth lies; never empty."""
    finite = column[np.isfinite(column)]
    low, high = np.percentile(finite, (0.5, 99.5)) if len(finite) else (0.0, 1.0)
    return float(low), float(max(high, low + 1e-6 * max(1.0, abs(low))))


def _steps(heights: Column) -> list[tuple[float, float]]:
    """The outline of a histogram whose bars are up to 1 high, in a panel's pixels."""
    x = MARGIN + (WIDTH - 2 * MARGIN) * np.arange(BINS + 1) / BINS
    y = HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * heights
    return list(zip(np.repeat(x, 2)[1:-1].tolist(), np.repeat(y, 2).tolist(), strict=True))
