"""Quadrature of brightness over squares, at 2×2 Gauss points each, divided where it varies most.

Values at the 2×2 points stand for the whole square: their mean is the mean brightness, and they
keep where in the square the light lies.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

GAUSS = 0.5 / math.sqrt(3)
"""Distance of the two Gauss points from the middle of a unit interval."""

Levels = Sequence[tuple[int, int]]
"""(squares to divide, parts along a side) of each level, coarse to fine."""


@dataclass(frozen=True)
class Light:
    """Brightness that falls with a distance; rows of a batch differ in both."""

    distance: Callable[[Tensor, Tensor], Tensor]
    """(x, y), three axes that broadcast to (batch, a, b), arcsec -> distance (batch, a, b)."""
    brightness: Callable[[Tensor], Tensor]
    """distance (batch, a, b) -> brightness (batch, a, b)."""


def middles(parts: int, like: Tensor) -> Float[Tensor, " part"]:
    """Middles of the equal `parts` of the unit interval around 0."""
    return (torch.arange(parts, device=like.device).to(like) + 0.5) / parts - 0.5


def gauss_points(parts: int, like: Tensor) -> Float[Tensor, " point"]:
    """The 2 · `parts` Gauss points of the equal parts of the unit interval around 0."""
    pair = like.new_tensor([-GAUSS, GAUSS]) / parts
    return (middles(parts, like)[:, None] + pair).flatten()


def lagrange(
    offsets: Float[Tensor, "*offset"], nodes: Sequence[float]
) -> Float[Tensor, "*offset node"]:
    """Lagrange's weights of `nodes` at `offsets`: they keep moments up to the nodes' number − 1."""
    return torch.stack([_lagrange(offsets, node, nodes) for node in nodes], -1)


def _lagrange(offsets: Tensor, node: float, nodes: Sequence[float]) -> Tensor:
    weight = torch.ones_like(offsets)
    for other in nodes:
        if other != node:
            weight = weight * (offsets - other) / (node - other)
    return weight


def scatter_around(
    x: Float[Tensor, "batch square"],
    y: Float[Tensor, "batch square"],
    offsets: Float[Tensor, " point"],
) -> tuple[Float[Tensor, "batch square points"], Float[Tensor, "batch square points"]]:
    """(x, y) of the points at `offsets` (arcsec, along both axes) around each (x, y)."""
    dy, dx = torch.meshgrid(offsets, offsets, indexing="ij")
    return x[..., None] + dx.flatten(), y[..., None] + dy.flatten()


def join_parts(
    values: Float[Tensor, "batch parts 2 2"], parts: int
) -> Float[Tensor, "batch square side side"]:
    """The values of `parts`² squares in a row as one square of (2 · parts)² values."""
    split = values.unflatten(1, (-1, parts, parts)).transpose(3, 4)
    return split.flatten(4, 5).flatten(2, 3)


def square_values(
    light: Light,
    x: Float[Tensor, "batch square"],
    y: Float[Tensor, "batch square"],
    size: float,
    slope: Float[Tensor, "batch square"],
    levels: Levels,
) -> Float[Tensor, "batch square 2 2"]:
    """Brightness at the Gauss points of squares of side `size` (arcsec) centred on (x, y).

    Where the distance, whose slope is at most about `slope`, may vary the brightness most, the
    square is divided as `levels` say; what its parts hold is put on its four points.
    """
    distance = light.distance(*scatter_around(x, y, gauss_points(1, x) * size))
    values = light.brightness(distance)
    if levels:
        (count, parts), *finer = levels
        chosen = most_varying(light, distance.detach(), 0.5 * size * slope, count)
        middle = middles(parts, x) * size
        inner_x, inner_y = scatter_around(x.gather(1, chosen), y.gather(1, chosen), middle)
        slopes = slope.gather(1, chosen).repeat_interleave(parts**2, 1)
        divided = square_values(
            light, inner_x.flatten(1), inner_y.flatten(1), size / parts, slopes, finer
        )
        onto = lagrange(gauss_points(parts, x), (-GAUSS, GAUSS)) / parts
        gathered = onto.mT @ join_parts(divided, parts) @ onto
        values = values.scatter(1, chosen[..., None].expand(-1, -1, 4), gathered.flatten(2))
    return values.unflatten(2, (2, 2))


def most_varying(
    light: Light,
    distance: Float[Tensor, "batch square 4"],
    drop: Float[Tensor, "batch square"],
    count: int,
) -> Int[Tensor, "batch chosen"]:
    """The `count` squares that may be brightest within, against the mean of their points."""
    mean = distance.mean(-1, keepdim=True)
    nearest = torch.clamp(mean - drop[..., None], min=0)
    variation = (light.brightness(nearest) - light.brightness(mean)).squeeze(-1)
    return variation.topk(min(count, variation.shape[1]), dim=1).indices
