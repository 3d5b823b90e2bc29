"""Refinement: light on a grid of cells, summed finely where a coarse grid would fail.

Brightness at the cells' centres is enough where it varies slowly, not for a compact source. So
a smooth window, piecewise quadratic and 1 around the cells where brightness varies most, divides
the light in two: outside it is sampled at the cells' centres, inside it is summed over squares
within the cells, and put on the 5×5 cells around such that moments up to the fourth are kept.
"""

from functools import reduce

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pad

from lensmill.grid import Grid
from lensmill.physics.quadrature import (
    Levels,
    Light,
    gauss_points,
    join_parts,
    lagrange,
    middles,
    scatter_around,
    square_values,
)

NODES = (-2.0, -1.0, 0.0, 1.0, 2.0)
"""The five cells around a point, on which its light is spread."""
BORDER = 2
"""Cells at the grid's edge that are never refined: the 5×5 cells around must exist."""
PARTS = 2
"""Squares along the side of a refined cell."""


def refined_cells(
    light: Light, grid: Grid, like: Tensor, cells: int, levels: Levels
) -> Float[Tensor, "batch y x"]:
    """Brightness of `light` on `grid`, with `cells` cells summed finely, as `levels` say."""
    x, y = grid.axes(like.device, like.dtype)
    distance = light.distance(x[None, None], y[None, :, None])
    values = light.brightness(distance)
    with torch.no_grad():
        drop = steepest(distance)
        nearest = torch.clamp(distance - 0.5 * drop, min=0)
        chosen = choose(light.brightness(nearest) - values, cells)
        kept = inner(chosen, grid)
        slope = drop.flatten(1).gather(1, chosen) / grid.pixel_scale
    middle = middles(PARTS, like) * grid.pixel_scale
    inner_x, inner_y = scatter_around(x[chosen % len(x)], y[chosen // len(x)], middle)
    squares = square_values(
        light,
        inner_x.flatten(1),
        inner_y.flatten(1),
        grid.pixel_scale / PARTS,
        slope.repeat_interleave(PARTS**2, 1),
        levels,
    )
    windowed = join_parts(squares, PARTS) * window(kept, chosen, gauss_points(PARTS, like))
    return spread(values * (1 - window_at_centres(kept)), chosen, windowed)


def steepest(distance: Float[Tensor, "batch y x"]) -> Float[Tensor, "batch y x"]:
    """The most that `distance` changes from a cell to its neighbours, x and y together."""
    x, y = distance.diff(dim=2).abs(), distance.diff(dim=1).abs()
    along_x = torch.maximum(pad(x, (1, 0)), pad(x, (0, 1)))
    return along_x + torch.maximum(pad(y, (0, 0, 1, 0)), pad(y, (0, 0, 0, 1)))


def shifted(values: Float[Tensor, "batch y x"], axis: int, reach: int) -> list[Tensor]:
    """`values` moved along `axis` by −`reach` to `reach` cells, 0 from beyond the edge."""
    edges = (0, 0, reach, reach) if axis == 1 else (reach, reach)
    padded, length = pad(values, edges), values.shape[axis]
    return [padded.narrow(axis, start, length) for start in range(2 * reach + 1)]


def largest_near(values: Float[Tensor, "batch y x"], reach: int) -> Float[Tensor, "batch y x"]:
    """The largest of the `values` (≥ 0) up to `reach` rows and columns away."""
    for axis in (1, 2):
        values = reduce(torch.maximum, shifted(values, axis, reach))
    return values


def choose(variation: Float[Tensor, "batch y x"], count: int) -> Int[Tensor, "batch cell"]:
    """Flat indices of the `count` cells with most `variation` within two cells of them."""
    b = BORDER
    near = largest_near(variation, b)[:, b:-b, b:-b]
    allowed = pad(near, (b, b, b, b), value=-1.0).flatten(1)
    return allowed.topk(min(count, near[0].numel()), dim=1).indices


def inner(chosen: Int[Tensor, "batch cell"], grid: Grid) -> Float[Tensor, "batch y x"]:
    """1 at the chosen cells whose eight neighbours are chosen too, else 0."""
    rejected = torch.ones(len(chosen), grid.shape[0] * grid.shape[1], device=chosen.device)
    return 1 - largest_near(rejected.scatter(1, chosen, 0.0).unflatten(1, grid.shape), 1)


def b_spline(offsets: Float[Tensor, " point"]) -> Float[Tensor, "point 3"]:
    """The quadratic B-splines of a cell and its two neighbours at `offsets` within the cell."""
    return torch.stack([(0.5 - offsets) ** 2 / 2, 0.75 - offsets**2, (0.5 + offsets) ** 2 / 2], -1)


def neighbours(cells: Int[Tensor, "batch cell"], width: int, reach: int) -> Tensor:
    """Flat indices (batch, cell, v, u) of the cells up to `reach` rows and columns away."""
    steps = torch.arange(-reach, reach + 1, device=cells.device)
    return cells[..., None, None] + steps[:, None] * width + steps


def window(
    kept: Float[Tensor, "batch y x"],
    cells: Int[Tensor, "batch cell"],
    offsets: Float[Tensor, " point"],
) -> Float[Tensor, "batch cell point point"]:
    """The smooth window, made of B-splines on the `kept` cells, at `offsets` within `cells`."""
    around = neighbours(cells, kept.shape[2], 1)
    near = kept.flatten(1).gather(1, around.flatten(1)).view(around.shape).to(offsets)
    spline = b_spline(offsets)
    return spline @ near @ spline.mT


def window_at_centres(kept: Float[Tensor, "batch y x"]) -> Float[Tensor, "batch y x"]:
    """The same window at the centre of every cell."""
    for axis in (1, 2):
        before, here, after = shifted(kept, axis, 1)
        kept = 0.75 * here + 0.125 * (before + after)
    return kept


def spread(
    values: Float[Tensor, "batch y x"],
    cells: Int[Tensor, "batch cell"],
    parts: Float[Tensor, "batch cell point point"],
) -> Float[Tensor, "batch y x"]:
    """`values` with the light of each cell's `parts` (at Gauss points) added around the cell."""
    weights = lagrange(gauss_points(parts.shape[-1] // 2, values), NODES)
    stencil = weights.mT @ parts @ weights / parts.shape[-1] ** 2
    around = neighbours(cells, values.shape[2], 2)
    flat = values.flatten(1).scatter_add(1, around.flatten(1), stencil.flatten(1))
    return flat.unflatten(1, values.shape[1:])


def add_points(
    values: Float[Tensor, "batch band y x"],
    x: Float[Tensor, "batch point"],
    y: Float[Tensor, "batch point"],
    flux: Float[Tensor, "batch band point"],
    grid: Grid,
) -> Float[Tensor, "batch band y x"]:
    """Brightness `values` with points of `flux` added, each spread on the 5×5 cells around it.

    Points within two cells of the edge, or beyond it, are left out.
    """
    (row, along_y), (column, along_x) = (
        _cell_and_weights(position / grid.pixel_scale, count)
        for position, count in ((y, grid.shape[0]), (x, grid.shape[1]))
    )
    around = neighbours(row * grid.shape[1] + column, grid.shape[1], 2).flatten(1)
    weights = (along_y[..., :, None] * along_x[..., None, :]).flatten(2) / grid.pixel_scale**2
    parts = (flux[..., None] * weights[:, None]).flatten(2)
    index = around[:, None].expand_as(parts)
    return values.flatten(2).scatter_add(2, index, parts).unflatten(2, grid.shape)


def _cell_and_weights(position: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Index of each point's cell along an axis, and its weights on the five cells around."""
    place = position + (count - 1) / 2
    cell = torch.round(place.detach())
    inside = (cell >= BORDER) & (cell < count - BORDER)
    weights = lagrange(place - cell, NODES) * inside[..., None]
    return cell.clamp(BORDER, count - 1 - BORDER).long(), weights
