"""Figures: the paper's Figures 2 and 3, of an evaluation."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lensmill.evaluation.dataset import INK
from lensmill.evaluation.examples import ROWS, Examples
from lensmill.evaluation.pictures import DARK, GAP
from lensmill.evaluation.table import Table, claimed
from lensmill.evaluation.targets import NAMES, Ranges, targets

SIDE = 150
"""Pixels of a picture's longer side in Figure 2."""
LABEL = 150
HEADER = 24
PANEL, MARGIN = 300, 46
"""Of Figure 3, in pixels."""
LINE, POINTS = (120, 122, 126), (100, 160, 255)
FONT_SIZE = 14
TITLES = {"theta_E": "theta_E / arcsec", "q": "q", "phi": "phi / rad from +x"}

Column = NDArray[np.float64]


def figure_two(examples: Examples) -> Image.Image:
    """Rows of `examples.ROWS`, a column for each system; lenses with their θ_E come first."""
    lens = examples["is_lens"]
    pictures = {name: [_resized(each) for each in examples[name]] for name in ROWS}
    x, y = pictures["noisy"][0].size
    size = (LABEL + len(lens) * (x + GAP), HEADER + len(ROWS) * (y + GAP))
    sheet, font = Image.new("RGB", size, DARK), ImageFont.load_default(FONT_SIZE)
    draw = ImageDraw.Draw(sheet)
    for column, title in enumerate(_titles(examples)):
        centre = LABEL + column * (x + GAP) + x / 2
        draw.text((centre, HEADER / 2), title, INK, font, anchor="mm")
    for row, (name, label) in enumerate(ROWS.items()):
        top = HEADER + row * (y + GAP)
        draw.text((GAP, top + y / 2), label, INK, font, anchor="lm")
        for column, picture in enumerate(pictures[name]):
            sheet.paste(picture, (LABEL + column * (x + GAP), top))
    return sheet


def _titles(examples: Examples) -> list[str]:
    radius = zip(examples["is_lens"], examples["theta_E"], strict=True)
    return [f'lens, {theta_E:.2f}"' if lens else "no lens" for lens, theta_E in radius]


def _resized(pixels: NDArray[np.generic]) -> Image.Image:
    y, x = pixels.shape[:2]
    size = (round(SIDE * x / max(y, x)), round(SIDE * y / max(y, x)))
    return Image.fromarray(pixels.astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)


def figure_three(tables: Mapping[str, Table], ranges: Ranges) -> Image.Image:
    """Predicted against true θ_E, q and φ of lenses: from the true source, and chained.

    tables: the evaluation of each split by its name; two rows of panels for each.
    """
    rows = [
        (f"{split}, {title}", table, way)
        for way, title in (("from_truth", "from true source"), ("chained", "chained"))
        for split, table in tables.items()
    ]
    sheet = Image.new("RGB", (len(NAMES) * PANEL, len(rows) * PANEL), DARK)
    for row, (title, table, way) in enumerate(rows):
        lenses = {name: column[table["is_lens"]] for name, column in table.items()}
        truth = targets(*(lenses[name] for name in ("theta_E", "e1", "e2")))
        predicted = targets(*(lenses[claimed(name, way)] for name in ("theta_E", "e1", "e2")))
        for column, name in enumerate(NAMES):
            panel = _scatter(title, name, truth[name], predicted[name], ranges[name])
            sheet.paste(panel, (column * PANEL, row * PANEL))
    return sheet


def _scatter(
    title: str, name: str, truth: Column, predicted: Column, span: Sequence[float]
) -> Image.Image:
    """One panel: a point for each lens, and the line on which predictions are right."""
    panel = Image.new("RGB", (PANEL, PANEL), DARK)
    draw, font = ImageDraw.Draw(panel), ImageFont.load_default(FONT_SIZE - 2)
    low, high = span
    side = PANEL - 2 * MARGIN

    def place(x: Column, y: Column) -> NDArray[np.float64]:
        share = (np.clip(np.stack([x, y], 1), low, high) - low) / (high - low)
        return np.stack([MARGIN + side * share[:, 0], PANEL - MARGIN - side * share[:, 1]], 1)

    draw.rectangle((MARGIN, MARGIN, PANEL - MARGIN, PANEL - MARGIN), outline=LINE)
    draw.line((MARGIN, PANEL - MARGIN, PANEL - MARGIN, MARGIN), LINE, 1)
    for x, y in place(truth, predicted).tolist():
        draw.ellipse((x - 1.5, y - 1.5, x + 1.5, y + 1.5), POINTS)
    draw.text((PANEL / 2, MARGIN / 2), f"{title} ({len(truth)})", INK, font, anchor="mm")
    draw.text((PANEL / 2, PANEL - 14), f"true {TITLES[name]}", INK, font, anchor="mm")
    for value, x in ((low, MARGIN), (high, PANEL - MARGIN)):
        draw.text((x, PANEL - MARGIN + 10), f"{value:.2f}", INK, font, anchor="mm")
    for value, y in ((low, PANEL - MARGIN), (high, MARGIN)):
        draw.text((MARGIN - 6, y), f"{value:.2f}", INK, font, anchor="rm")
    panel.paste(*_upright(f"predicted {name}", font))
    return panel


def _upright(
    words: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont
) -> tuple[Image.Image, tuple[int, int]]:
    """Words written upwards, and where they go: the label of a panel's vertical axis."""
    line = Image.new("RGB", (PANEL - 3 * MARGIN, 16), DARK)  # ends below the highest number
    place = (line.width / 2, line.height / 2)
    ImageDraw.Draw(line).text(place, words, INK, font, anchor="mm")
    return line.rotate(90, expand=True), (2, (PANEL - line.width) // 2)
