"""Impostors: non-lenses of the kinds that lens finders take for lenses."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int
from numpy.typing import NDArray
from torch import Tensor

from lensmill.simulation.counter import uniform
from lensmill.simulation.population.companions import SLOTS as COMPANIONS
from lensmill.simulation.population.crowds import blue_companions, edge_ons, mergers
from lensmill.simulation.population.spirals import rings, spirals
from lensmill.simulation.population.structure import (
    POINTS,
    UNIFORMS,
    Array,
    Impostor,
    Site,
    joined,
    no_knots,
)
from lensmill.simulation.scene import KINDS, Points, Scene, Sersic, as_tensor, join

STREAM, KNOT_STREAM = 20, 21
FIRST = 3
"""Number of the first impostor among `KINDS`."""
CHOICES = KINDS[FIRST:]
Rows = NDArray[np.int64]
Builder = Callable[[Site], Impostor]


def check_shares(shares: Mapping[str, float]) -> None:
    """ValueError unless `shares` names impostors, with shares from 0 that sum to 1 at most."""
    for name in shares:
        if name not in CHOICES:
            close = get_close_matches(name, CHOICES, 1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise ValueError(f"impostors: no kind {name!r}; {hint}choices: {', '.join(CHOICES)}")
    if min(shares.values(), default=0.0) < 0 or sum(shares.values()) > 1 + 1e-9:
        raise ValueError(f"impostors: shares are from 0 and sum to 1 at most, not {dict(shares)}")


def with_impostors(
    scene: Scene,
    pair: dict[str, Array],
    shares: Mapping[str, float],
    seed: int,
    indices: Int[Tensor, " batch"],
    brightening: float = 0.0,
) -> Scene:
    """`scene` with `shares` of its non-lenses replaced: nothing behind them, companions kept.

    pair: the scenes' lenses and sources, to which the impostors' magnitudes, colours and sizes are
    tied.
    """
    u = uniform(seed, indices, STREAM, 1 + UNIFORMS).numpy()
    kind = _choose(u[:, 0], shares) * ~scene.is_lens.numpy()
    seen = Impostor(joined(len(kind)), no_knots(len(kind)), np.ones(len(kind), bool))
    blue = partial(blue_companions, brightening=brightening)
    builders: tuple[Builder, ...] = (spirals, rings, edge_ons, mergers, blue)
    for number, build in enumerate(builders, FIRST):
        rows = np.flatnonzero(kind == number)
        v = uniform(seed, indices[torch.from_numpy(rows)], KNOT_STREAM, 3 * POINTS).numpy()
        _put(seen, rows, build(_site(scene, pair, rows, u[rows, 1:], v)))
    return _dressed(scene, seen, torch.from_numpy(kind))


def _choose(u: Array, shares: Mapping[str, float]) -> NDArray[np.int64]:
    """The kind of each scene if it is no lens; 0 where it stays as it is."""
    edges = np.cumsum([shares.get(name, 0.0) for name in CHOICES])
    chosen = np.searchsorted(edges, u, side="right")
    return np.where(chosen < len(CHOICES), chosen + FIRST, 0)


def _site(scene: Scene, pair: dict[str, Array], rows: Rows, u: Array, v: Array) -> Site:
    place = (scene.foreground.phi[:, 0], scene.mass.x, scene.mass.y)
    phi, x, y = (value.numpy()[rows].astype(np.float64) for value in place)
    mine = {name: value[rows] for name, value in pair.items()}
    return Site(mine, phi, x, y, u, v.reshape(len(rows), POINTS, 3))


def _put(whole: Any, rows: Rows, part: Any) -> None:
    """Write the arrays of `part` to the `rows` of those of `whole`."""
    if isinstance(part, np.ndarray):
        whole[rows] = part
    else:
        for name, value in vars(part).items():
            _put(getattr(whole, name), rows, value)


def _dressed(scene: Scene, seen: Impostor, kind: Int[Tensor, " batch"]) -> Scene:
    """`scene` with what is `seen` in it; impostors have no source, and some no lens galaxy."""
    lens_light = (
        torch.arange(scene.foreground.x.shape[1]) < scene.foreground.x.shape[1] - COMPANIONS
    )
    gone = torch.from_numpy(~seen.keeps_lens)[:, None] & lens_light
    galaxies = Sersic(*map(as_tensor, vars(seen.galaxies).values()))
    return replace(
        scene,
        foreground=join(_dark(scene.foreground, gone), galaxies),
        source=_dark(scene.source, (kind > 0)[:, None]),
        points=Points(*map(as_tensor, vars(seen.knots).values())),
        impostor=kind,
    )


def _dark(galaxies: Sersic, where: Bool[Tensor, "batch #component"]) -> Sersic:
    return replace(galaxies, magnitude=galaxies.magnitude.masked_fill(where[..., None], torch.inf))
