"""Collett: the lenses that a survey finds, after Collett 2015.

Deflectors by the velocity-dispersion function, sources by luminosity, redshift and colour, pairs
by cross-section, and of these the ones that the survey detects.
"""

import json
from dataclasses import dataclass, field, fields
from functools import cache, cached_property
from importlib import resources
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor

from lensmill.physics.cosmology import ARCSEC, angular_diameter_distance
from lensmill.physics.surveys import LENSPOP_COADD
from lensmill.simulation.counter import uniform
from lensmill.simulation.population import deflectors, pairs
from lensmill.simulation.population.assembly import Assembly
from lensmill.simulation.population.background import Background, Rows
from lensmill.simulation.population.detection import Rules
from lensmill.simulation.population.pairs import FITTED, Pairs, draw_pairs
from lensmill.simulation.population.rows import chosen_rows, joined

Array = NDArray[np.float64]

FIRST_STREAM = 1000
"""Round k of every scene chooses galaxies by stream 1000 + k."""
DRAW_STREAM = 2**20
"""Draw k of every scene is a pair by stream 2²⁰ + k."""
ATTEMPTS = 48
"""Galaxies drawn in each round for each scene that has no lens yet."""
MOST_ROUNDS = 10_000
"""Without a lens, after which the rules must be impossible: LensPop's take ten."""
TOGETHER = 4096
"""Galaxies drawn at once: rounds of few waiting scenes are not worth their overhead."""
LIGHT = 2
"""How many random numbers the deflector's light takes."""


@dataclass(frozen=True)
class Lenses:
    """Detected lenses in the frame of the deflector; all (lens,)."""

    pair: Pairs
    magnitude: Array  # of the deflector, (lens, band)
    half_light_radius: Array  # of the deflector, arcsec
    magnification: Array


@cache
def _colours() -> tuple[Array, Array]:
    """Redshifts, and apparent magnitude − M_r − distance modulus (band, redshift)."""
    text = resources.files(__package__).joinpath("elliptical_colours.json").read_text()
    table = json.loads(text)
    return np.array(table["redshift"]), np.array([table[band] for band in "gri"])


def deflector_light(pair: Pairs, u: Array) -> tuple[Array, Array]:
    """g, r, i magnitudes (pair, band) and half-light radii in arcsec, from uniforms (pair, 2)."""
    distance = angular_diameter_distance(pair.z_lens)
    modulus = 5 * np.log10(distance * (1 + pair.z_lens) ** 2) + 25
    absolute = deflectors.absolute_magnitude(pair.velocity_dispersion, u[:, 0])
    redshift, colours = _colours()
    bands = [np.interp(pair.z_lens, redshift, colour) for colour in colours]
    radius = deflectors.half_light_radius_kpc(pair.velocity_dispersion, u[:, 1])
    return (absolute + modulus)[:, None] + np.stack(bands, 1), radius / (1e3 * distance * ARCSEC)


def _rules(keywords: dict[str, Any]) -> Rules:
    """LensPop's rules with some changed; ValueError for a key that they do not have."""
    known = [name for name in vars(Rules(LENSPOP_COADD)) if name != "survey"]
    for key in keywords:
        if key not in known:
            raise ValueError(f"rules: no key {key!r}; choices: {', '.join(known)}")
    return Rules(LENSPOP_COADD, **keywords)


def _background(keywords: dict[str, Any]) -> Background:
    """The fitted model, or a catalogue; ValueError for a key that `Rows` does not have."""
    known = [each.name for each in fields(Rows)]
    for key in keywords:
        if key not in known:
            raise ValueError(f"sources: no key {key!r}; choices: {', '.join(known)}")
    if keywords and "table" not in keywords:
        raise ValueError("sources: which table?")
    return Rows(**keywords) if keywords else FITTED


@dataclass(frozen=True)
class Collett(Assembly):
    """The lenses that a survey detects. Lens i is the first detected pair of its own draws.

    rules: what of `Rules` differs from LensPop's. sources: the keys of a catalogue of galaxies
    (see `Rows`); none: the fitted model.
    """

    rules: Rules | dict[str, Any] = field(default_factory=dict)
    sources: Background | dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        tables = (*self.tables, repr(self.detection), self.behind.digest)
        object.__setattr__(self, "tables", tables)

    @cached_property
    def detection(self) -> Rules:
        """The rules, LensPop's but for what a recipe changes."""
        return _rules(self.rules) if isinstance(self.rules, dict) else self.rules

    @cached_property
    def behind(self) -> Background:
        """The galaxies behind the lenses."""
        return _background(self.sources) if isinstance(self.sources, dict) else self.sources

    def pairs(self, seed: int, indices: Int[Tensor, " batch"]) -> dict[str, Array]:
        lenses = self.detected(seed, indices)
        pair, source = lenses.pair, lenses.pair.source
        g, r, i = lenses.magnitude.T
        return {
            "z_lens": pair.z_lens,
            "z_source": source.redshift,
            "ln_theta_E": np.log(pair.theta_E),
            "q_lens": pair.q_lens,
            "ln_radius_lens": np.log(lenses.half_light_radius),
            "i_lens": i,
            "g_minus_r_lens": g - r,
            "r_minus_i_lens": r - i,
            "beta_over_theta_E": np.hypot(pair.x, pair.y) / pair.theta_E,
            "beta_angle": np.arctan2(pair.y, pair.x),
            "q_source": source.q,
            "phi_source": pair.phi_source,
            "ln_radius_source": np.log(source.half_light_radius),
            "i_source": source.i,
            "g_minus_r_source": source.g - source.r,
            "r_minus_i_source": source.r - source.i,
        }

    def detected(self, seed: int, indices: Int[Tensor, " batch"]) -> Lenses:
        """The lenses `indices`, by rounds of attempts at those still missing."""
        waiting, tried = np.arange(len(indices)), 0
        found: list[tuple[NDArray[np.int64], Lenses]] = []
        while len(waiting):
            rounds = max(1, TOGETHER // (len(waiting) * ATTEMPTS))
            some = indices[torch.from_numpy(waiting)]
            rows, lenses = self.attempt(seed, some, range(tried, tried + rounds))
            found.append((waiting[rows], lenses))
            waiting, tried = np.setdiff1d(waiting, waiting[rows]), tried + rounds
            if tried > MOST_ROUNDS:
                raise ValueError(
                    f"rules: no lens among {tried * ATTEMPTS} galaxies; are they too strict?"
                )
        return in_order(found)

    def attempt(
        self, seed: int, indices: Int[Tensor, " batch"], rounds: range
    ) -> tuple[NDArray[np.int64], Lenses]:
        """(rows that found a lens, the first one of each) in the `rounds` of `ATTEMPTS` draws."""
        scene, draw, choice = self._chosen(seed, indices, rounds)
        ends = np.cumsum([pairs.UNIFORMS - pairs.CHOICE, LIGHT, self.detection.uniforms])
        streams = DRAW_STREAM + torch.from_numpy(draw)
        u = uniform(seed, indices[torch.from_numpy(scene)], streams, int(ends[-1])).numpy()
        of_pair, light, visits = np.split(u, ends[:-1], axis=1)
        drawn = draw_pairs(np.concatenate([choice, of_pair], 1), self.behind)
        candidate = np.flatnonzero(self.detection.may_pass(drawn, visits[:, 0]))
        pair = chosen_rows(drawn, candidate)
        magnitude, radius = deflector_light(pair, light[candidate])
        seen, magnification = self.detection.passes(pair, magnitude, radius, visits[candidate])
        rows, first = np.unique(scene[candidate][seen], return_index=True)
        lenses = Lenses(pair, magnitude, radius, magnification)
        return rows, chosen_rows(lenses, np.flatnonzero(seen)[first])

    def _chosen(
        self, seed: int, indices: Int[Tensor, " batch"], rounds: range
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
        """Galaxies that become sources: row of the scene, number of the draw, what chose them."""
        each = [uniform(seed, indices, FIRST_STREAM + k, ATTEMPTS * pairs.CHOICE) for k in rounds]
        u = torch.stack(each, 1).numpy().reshape(-1, pairs.CHOICE)
        found = np.flatnonzero(pairs.chosen(u, self.behind))
        scene, draw = np.divmod(found, ATTEMPTS * len(rounds))
        return scene, draw + ATTEMPTS * rounds.start, u[found]


def in_order(found: list[tuple[NDArray[np.int64], Lenses]]) -> Lenses:
    """The lenses of all attempts in the order of their rows."""
    order = np.argsort(np.concatenate([rows for rows, _ in found]))
    lenses: Lenses = chosen_rows(joined([lenses for _, lenses in found]), order)
    return lenses
