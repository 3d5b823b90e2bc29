"""Matched: the light of real rows of cosmoDC2, cross-matched to each lens and source.

Madireddy et al. 2019 take a galaxy of cosmoDC2 with the apparent magnitude, axis ratio, redshift
and position angle of each simulated one. Bulge and disk of cosmoDC2 share one position angle, so
that a match is turned to the pair's own: the disputed sign and zero of the catalogue's angles
(LSSTDESC/gcr-catalogs #607, #611) never enter.
"""

from dataclasses import dataclass, field, fields
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor

from lensmill.simulation.counter import uniform
from lensmill.simulation.population.light import Light, Pairs, as_drawn
from lensmill.simulation.population.tables import check_names, digest, read_table

STREAM = {"lens": 17, "source": 18}
Array = NDArray[np.float64]

COLUMNS = {
    "redshift": ("redshift_hubble", "redshift_true", "redshift"),
    **{band: (f"mag_{band}_sed", f"mag_true_{band}_lsst", f"mag_{band}_lsst") for band in "gri"},
    **{f"bt_{band}": (f"bt_{band}", "bulge_to_total_ratio_i") for band in "gri"},
    "size_bulge": ("size_bulge_true",),
    "size_minor_bulge": ("size_minor_bulge_true",),
    "size_disk": ("size_disk_true",),
    "size_minor_disk": ("size_minor_disk_true",),
}
"""What is read, and what cosmoDC2's tables call it; sizes: half-light radii along the axes."""
UNITS = {**dict.fromkeys("gri", "mag"), **{key: "arcsec" for key in COLUMNS if "size" in key}}


@dataclass(frozen=True)
class Rows:
    """Galaxies in the order of their i magnitudes; all (row, …)."""

    redshift: Array
    i: Array
    q: Array  # of the whole light: ε = (1 − q²)/(1 + q²) weighted with the flux in i
    magnitude: Array  # (row, bulge and disk, band)
    half_light_radius: Array  # (row, bulge and disk), arcsec, product average of the axes
    parts_q: Array  # (row, bulge and disk)


@dataclass(frozen=True, kw_only=True)
class Matched:
    """A light model: each galaxy takes the bulge and disk of a row that is like it.

    table: rows of cosmoDC2, any format of `tables`; columns: {our name: the table's}, where they
        are not `COLUMNS`.
    log_redshift, magnitude, axis_ratio: the largest differences in log10 z, in i and in the q of
        the whole light. Where no row lies within, all three are doubled, up to `doublings` times.

    The rows stand in a circle, in an order that the seed draws. Scene k starts at place k, counted
    in bit-reversed order, and takes the first row that matches: galaxies that many rows match do
    not take one twice before the others, and scene k still depends on (seed, k) alone. Colours and
    bulge fractions are the row's, the total i magnitude is the pair's.
    """

    role: str
    table: str
    columns: dict[str, str] = field(default_factory=dict)
    log_redshift: float = 0.05
    magnitude: float = 0.05
    axis_ratio: float = 0.1
    doublings: int = 4

    def __post_init__(self) -> None:
        check_names(self.table, "columns", self.columns, COLUMNS)
        assert self.digest  # the table is read now, not at the first scene

    @cached_property
    def digest(self) -> str:
        """Of the rows."""
        return digest(*vars(self.rows).values())

    @classmethod
    def of(cls, role: str, options: dict[str, Any]) -> "Matched":
        """The model with the keys of a recipe; ValueError names a key that it does not take."""
        known = [item.name for item in fields(cls) if item.name != "role"]
        check_names(f"{role}_light", "a match", options, known)
        if "table" not in options:
            raise ValueError(f"{role}_light: a match needs a table")
        return cls(role=role, **options)

    def __call__(self, pair: Pairs, seed: int, indices: Int[Tensor, " batch"]) -> Light:
        drawn = as_drawn(pair, self.role)
        wanted = np.stack([drawn[f"{name}_{self.role}"] for name in ("z", "i", "q")], axis=1)
        circle, visits = seats(seed, STREAM[self.role], len(self.rows.i))
        starts = visits[indices.numpy() % len(visits)].tolist()
        each = zip(wanted, starts, strict=True)
        chosen = np.array([first(self.matches(w), circle, start) for w, start in each], np.int64)
        shift = pair[f"i_{self.role}"] - self.rows.i[chosen]
        return Light(
            magnitude=self.rows.magnitude[chosen] + shift[:, None, None],
            half_light_radius=self.rows.half_light_radius[chosen],
            index=(4.0, 1.0),
            q=self.rows.parts_q[chosen],
        )

    def matches(self, wanted: Array) -> NDArray[np.int64]:
        """The rows within the tolerances, widened as far as needed, of one (z, i, q)."""
        redshift, i, q = wanted
        for widening in 2.0 ** np.arange(self.doublings + 1):
            near = i + widening * self.magnitude * np.array([-1, 1])
            low, high = np.searchsorted(self.rows.i, near)
            apart = np.log10(self.rows.redshift[low:high] / redshift)
            like = np.abs(apart) <= widening * self.log_redshift
            like &= np.abs(self.rows.q[low:high] - q) <= widening * self.axis_ratio
            if like.any():
                return low + np.flatnonzero(like)
        raise ValueError(
            f"{self.table}: no row is like the {self.role} with z = {redshift:.2f}, i = {i:.2f}, "
            f"q = {q:.2f}, within {widening:g} times the tolerances; give a larger table, wider "
            "tolerances or more doublings"
        )

    @cached_property
    def rows(self) -> Rows:
        """The table's galaxies."""
        table = read_table(Path(self.table))
        values = {}
        for key, names in COLUMNS.items():
            known = next((name for name in names if name in table.columns), names[0])
            values[key] = table.column(self.columns.get(key, known), UNITS.get(key, ""))
        rows = galaxies(values)
        if not len(rows.i):
            raise ValueError(f"{self.table}: no galaxy has all of {', '.join(COLUMNS)}")
        return rows


def galaxies(values: dict[str, Array]) -> Rows:
    """The rows that have a redshift, magnitudes, and a size for every part that shines."""
    share = np.stack([values[f"bt_{band}"] for band in "gri"], axis=1)
    shares = np.clip(np.stack([share, 1 - share], axis=1), 0, 1)
    major = np.stack([values["size_bulge"], values["size_disk"]], axis=1)
    minor = np.stack([values["size_minor_bulge"], values["size_minor_disk"]], axis=1)
    total = np.stack([values[band] for band in "gri"], axis=1)
    sized = (major > 0) & (minor > 0) & (minor <= 1.001 * major)
    good = (sized | (shares == 0).all(-1)).all(1) & np.isfinite(total).all(1)
    good &= np.isfinite(share).all(1) & (values["redshift"] > 0)
    order = np.flatnonzero(good)[np.argsort(values["i"][good], kind="stable")]
    major, minor = (np.where(sized, each, 0.1)[order] for each in (major, minor))
    q, shares = np.clip(minor / major, 0.05, 1), shares[order]
    epsilon = np.sum(shares[..., 2] * (1 - q**2) / (1 + q**2), axis=1)
    with np.errstate(divide="ignore"):
        magnitude = total[order, None] - 2.5 * np.log10(shares)
    return Rows(
        redshift=values["redshift"][order],
        i=values["i"][order],
        q=np.sqrt((1 - epsilon) / (1 + epsilon)),
        magnitude=magnitude,
        half_light_radius=np.sqrt(major * minor),
        parts_q=q,
    )


@lru_cache(maxsize=8)
def seats(seed: int, stream: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(where in the circle each row stands, where scene k of each round starts)."""
    draws = uniform(seed, torch.arange(count), stream, 1)[:, 0].numpy()
    bits = max(1, (count - 1).bit_length())
    visits, reversed_ = np.arange(2**bits), np.zeros(2**bits, np.int64)
    for bit in range(bits):
        reversed_ |= ((visits >> bit) & 1) << (bits - 1 - bit)
    return np.argsort(np.argsort(draws)), reversed_[reversed_ < count]


def first(rows: NDArray[np.int64], circle: NDArray[np.int64], start: int) -> int:
    """The one of `rows` that stands next in the circle from `start` on."""
    return int(rows[np.argmin((circle[rows] - start) % len(circle))])
