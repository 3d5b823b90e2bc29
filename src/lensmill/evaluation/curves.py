"""Curves: shares against what they depend on, and surfaces of them, drawn."""

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont

from lensmill.evaluation.dataset import INK, LENSES, OTHERS
from lensmill.evaluation.pictures import DARK
from lensmill.evaluation.selection import Bin, Edges, Share

WIDTH, HEIGHT, MARGIN = 360, 260, 40
LINE = (70, 72, 76)
FONT_SIZE = 13

Point = tuple[float, float]


def curve_panel(title: str, bins: list[Bin], level: Share | None = None) -> Image.Image:
    """Shares with error bars against the bins' middles; `level`, a blue line, for comparison."""
    panel, draw = _frame(title)
    low, high = bins[0].low, bins[-1].high
    low, high = (low, high) if np.isfinite([low, high]).all() else _middles(bins)
    if level is not None:
        y = _y(level.value)
        draw.line((MARGIN, y, WIDTH - MARGIN, y), OTHERS, 2)
    points = [(_x(each.middle, low, high), _y(each.share.value)) for each in bins]
    draw.line(points, LENSES, 2)
    for each, (x, y) in zip(bins, points, strict=True):
        draw.line((x, _y(each.share.low), x, _y(each.share.high)), LENSES, 1)
        draw.ellipse((x - 3, y - 3, x + 3, y + 3), LENSES)
    _numbers(draw, low, high)
    return panel


def _middles(bins: list[Bin]) -> Point:
    return bins[0].middle, bins[-1].middle


def surface_panel(
    title: str, values: Float[np.ndarray, "y x"], x_edges: Edges, y_edges: Edges
) -> Image.Image:
    """Shares as cells, dark for 0 and orange for 1, with their percents; y grows upwards."""
    panel, draw = _frame(title, ticks=())
    font = ImageFont.load_default(FONT_SIZE)
    for row, line in enumerate(values):
        for column, value in enumerate(line):
            if not np.isfinite(value):
                continue
            corners = [
                (_x(column + side, 0, len(line)), _y((row + side) / len(values))) for side in (0, 1)
            ]
            (left, bottom), (right, top) = corners
            ink = tuple(
                round(base + value * (c - base)) for base, c in zip(DARK, LENSES, strict=True)
            )
            draw.rectangle((left + 1, top + 1, right - 1, bottom - 1), ink)
            middle = ((left + right) / 2, (top + bottom) / 2)
            draw.text(middle, f"{100 * value:.0f}", INK, font, anchor="mm")
    _numbers(draw, x_edges[0], x_edges[-1])
    for value, share in ((y_edges[0], 0.0), (y_edges[-1], 1.0)):
        draw.text((MARGIN - 5, _y(share)), f"{value:.3g}", INK, font, anchor="rm")
    return panel


def sheet(panels: list[Image.Image], columns: int = 3) -> Image.Image:
    """Panels in rows."""
    rows = -(-len(panels) // columns)
    whole = Image.new("RGB", (columns * WIDTH, rows * HEIGHT), DARK)
    for number, panel in enumerate(panels):
        row, column = divmod(number, columns)
        whole.paste(panel, (column * WIDTH, row * HEIGHT))
    return whole


def _frame(
    title: str, ticks: tuple[float, ...] = (0.0, 0.5, 1.0)
) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    panel = Image.new("RGB", (WIDTH, HEIGHT), DARK)
    draw, font = ImageDraw.Draw(panel), ImageFont.load_default(FONT_SIZE)
    draw.rectangle((MARGIN, MARGIN, WIDTH - MARGIN, HEIGHT - MARGIN), outline=LINE)
    draw.text((WIDTH / 2, MARGIN / 2), title, INK, font, anchor="mm")
    for share in ticks:
        draw.text((MARGIN - 5, _y(share)), f"{share:g}", INK, font, anchor="rm")
    return panel, draw


def _numbers(draw: ImageDraw.ImageDraw, low: float, high: float) -> None:
    font = ImageFont.load_default(FONT_SIZE)
    for value in (low, high):
        place = (_x(value, low, high), HEIGHT - MARGIN + 12)
        draw.text(place, f"{value:.3g}", INK, font, anchor="mm")


def _x(value: float, low: float, high: float) -> float:
    share = (value - low) / (high - low) if high > low else 0.5
    return MARGIN + (WIDTH - 2 * MARGIN) * share


def _y(share: float) -> float:
    return HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * share
