"""Cells: brightness averaged over small square cells, refined where a plain grid would fail.

A uniform grid needs a very fine step for three things only: the cusp of a bulge, a compact
source, and the demagnified core. So brightness is sampled once per cell, and the cells that
matter are sampled again on `factor`² points.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lensmill.grid import Grid

Brightness = Callable[[Tensor, Tensor], Tensor]
"""(x, y) of shape (batch, points) in arcsec -> brightness (batch, points)."""


def cell_points(
    cells: Int[Tensor, "batch cell"], grid: Grid, factor: int, like: Tensor
) -> tuple[Float[Tensor, "batch points"], Float[Tensor, "batch points"]]:
    """(x, y) of factor² points inside each of `cells` (flat indices into `grid`)."""
    row, column = cells // grid.shape[1], cells % grid.shape[1]
    inside = (torch.arange(factor, device=cells.device, dtype=like.dtype) + 0.5) / factor - 0.5
    dy, dx = torch.meshgrid(inside, inside, indexing="ij")
    x = column.to(like)[..., None] - (grid.shape[1] - 1) / 2 + dx.flatten()
    y = row.to(like)[..., None] - (grid.shape[0] - 1) / 2 + dy.flatten()
    return (x * grid.pixel_scale).flatten(1), (y * grid.pixel_scale).flatten(1)


def refine(
    values: Float[Tensor, "batch all_cells"],
    cells: Int[Tensor, "batch cell"],
    valid: Bool[Tensor, "batch cell"],
    brightness: Brightness,
    grid: Grid,
    factor: int,
) -> Float[Tensor, "batch all_cells"]:
    """`values` with each valid cell replaced by its mean over factor² points."""
    x, y = cell_points(cells, grid, factor, values)
    mean = brightness(x, y).unflatten(1, (cells.shape[1], factor**2)).mean(-1)
    change = torch.where(valid, mean - values.gather(1, cells), 0.0)
    return values.scatter_add(1, cells, change)


def block_around(
    x: Float[Tensor, " batch"], y: Float[Tensor, " batch"], grid: Grid, width: int
) -> tuple[Int[Tensor, "batch cell"], Bool[Tensor, "batch cell"]]:
    """The width² cells around (x, y), and which of them lie on the grid."""
    offsets = torch.arange(width, device=x.device) - width // 2

    def along(position: Tensor, count: int) -> tuple[Tensor, Tensor]:
        edge = position / grid.pixel_scale + count / 2
        index = torch.round(edge.detach()).long()[:, None] + offsets
        return index.clamp(0, count - 1), (index >= 0) & (index < count)

    (column, column_valid), (row, row_valid) = along(x, grid.shape[1]), along(y, grid.shape[0])
    cells = row[:, :, None] * grid.shape[1] + column[:, None, :]
    return cells.flatten(1), (row_valid[:, :, None] & column_valid[:, None, :]).flatten(1)


def nearest_approach(radius: Float[Tensor, "batch y x"]) -> Float[Tensor, "batch y x"]:
    """Lower estimate, inside each cell, of a distance sampled at the cells' centres.

    The larger of the differences to either neighbour bounds the slope along each axis.
    """
    result = radius
    for axis in (-1, -2):
        step = radius.diff(dim=axis).abs()
        lower = torch.nn.functional.pad(step, (1, 0) if axis == -1 else (0, 0, 1, 0))
        upper = torch.nn.functional.pad(step, (0, 1) if axis == -1 else (0, 0, 0, 1))
        result = result - 0.5 * torch.maximum(lower, upper)
    return result.clamp(min=0)
