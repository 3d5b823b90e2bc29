"""Catalogue: lens systems of a table, each drawn again and again at another position angle."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor

from lensmill.simulation.counter import uniform
from lensmill.simulation.population import background
from lensmill.simulation.population.assembly import Assembly
from lensmill.simulation.population.light import Pairs
from lensmill.simulation.population.tables import (
    Key,
    check_names,
    digest,
    mapped,
    read_table,
    usable,
)

STREAM = 16
Array = NDArray[np.float64]


REDSHIFT, ARCSEC, MAGNITUDE = Key("", 1e-4, 12), Key("arcsec", 1e-4, 1e3), Key("mag", 0, 60)
KEYS = {
    "z_lens": REDSHIFT,
    "z_source": REDSHIFT,
    "theta_E": ARCSEC,
    "q_lens": Key("", 0.05, 1),
    "radius_lens": ARCSEC,
    "g_lens": MAGNITUDE,
    "r_lens": MAGNITUDE,
    "i_lens": MAGNITUDE,
    "radius_source": ARCSEC,
    "g_source": MAGNITUDE,
    "r_source": MAGNITUDE,
    "i_source": MAGNITUDE,
    "position_angle_lens": Key("deg", needed=False),
    "x_source": Key("arcsec", needed=False),
    "y_source": Key("arcsec", needed=False),
    "q_source": Key("", 0.05, 1, needed=False),
    "position_angle_source": Key("deg", needed=False),
}
"""What a table of lenses holds; rows with a value outside [low, high] are dropped."""
ZERO = {"from_y": np.pi / 2, "from_x": 0.0}
"""Where position angles are counted from: +y towards −x (COOLEST), or +x towards +y."""


@dataclass(frozen=True, kw_only=True)
class Catalogue(Assembly):
    """The lens systems of `table`, as they are but for a random position angle of the whole.

    table: a file, see `tables`; relative to where the command runs.
    columns: {our name: the table's}, for the names of `KEYS` that the table calls otherwise.
    units: {our name: unit}, where the table says none or a wrong one; else the units of `KEYS`.
    position_angle: "from_y" (degrees from +y towards −x) or "from_x" (from +x towards +y).

    Needed are redshifts, θ_E, q and half-light radii (product average of the axes) and magnitudes.
    Without `position_angle_lens` the lens' major axis is angle 0; without `x_source`, `y_source`
    (relative to the lens) sources lie anywhere within θ_E; without `q_source` they are as flat as
    Collett's, without `position_angle_source` they point anywhere.
    """

    table: str
    columns: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    position_angle: str = "from_y"

    def __post_init__(self) -> None:
        """All that is wrong with the table is said at once, not at the first scene."""
        super().__post_init__()
        check_names(self.table, "columns", self.columns, KEYS)
        check_names(self.table, "units", self.units, KEYS)
        check_names(self.table, "position_angle", [self.position_angle], ZERO)
        object.__setattr__(self, "tables", (*self.tables, digest(*self.rows.values())))

    @cached_property
    def rows(self) -> Pairs:
        """The table by `KEYS`, in their units; rows that lack a value are dropped, and counted."""
        rows = mapped(read_table(Path(self.table)), KEYS, self.columns, self.units)
        if ("x_source" in rows) != ("y_source" in rows):
            raise ValueError(f"{self.table}: x_source and y_source go together")
        return usable(self.table, KEYS, rows)

    def pairs(self, seed: int, indices: Int[Tensor, " batch"]) -> Pairs:
        u = uniform(seed, indices, STREAM, 6).numpy()
        number = (u[:, 0] * len(self.rows["z_lens"])).astype(np.int64)
        row = {name: values[number] for name, values in self.rows.items()}
        phi = np.radians(row.get("position_angle_lens", np.zeros(len(u))))
        phi = phi + ZERO[self.position_angle]
        return {
            "z_lens": row["z_lens"],
            "z_source": row["z_source"],
            "ln_theta_E": np.log(row["theta_E"]),
            **_galaxy(row, "lens"),
            **_galaxy({"q_source": background.axis_ratio(u[:, 1]), **row}, "source"),
            **_place(row, phi, u[:, 2:4]),
            "phi_source": self._phi_source(row, phi, u[:, 4]),
        }

    def _phi_source(self, row: Pairs, phi: Array, u: Array) -> Array:
        """The source's major axis from the lens', radian."""
        if "position_angle_source" not in row:
            return np.pi * u
        angle = np.radians(row["position_angle_source"]) + ZERO[self.position_angle]
        return np.asarray(angle - phi)


def _galaxy(row: Pairs, role: str) -> Pairs:
    g, r, i = (row[f"{band}_{role}"] for band in "gri")
    return {
        f"q_{role}": row[f"q_{role}"],
        f"ln_radius_{role}": np.log(row[f"radius_{role}"]),
        f"i_{role}": i,
        f"g_minus_r_{role}": g - r,
        f"r_minus_i_{role}": r - i,
    }


def _place(row: Pairs, phi: Array, u: Array) -> Pairs:
    """Where the source lies, its direction from the lens' major axis."""
    if "x_source" not in row:
        return {"beta_over_theta_E": np.sqrt(u[:, 0]), "beta_angle": 2 * np.pi * u[:, 1]}
    x, y = row["x_source"], row["y_source"]
    return {
        "beta_over_theta_E": np.hypot(x, y) / row["theta_E"],
        "beta_angle": np.arctan2(y, x) - phi,
    }
