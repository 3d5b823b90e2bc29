"""Assembly: scenes of lenses, and of galaxies that are none, from pairs of lens and source.

Everything that is the same whatever the population: which pairs become lenses, position angles,
the scatter of mass against light, bulge and disk, companions.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor

from lensmill.simulation.counter import uniform
from lensmill.simulation.population.clumps import with_clumps
from lensmill.simulation.population.companions import draw_companions
from lensmill.simulation.population.impostors import check_shares, with_impostors
from lensmill.simulation.population.light import Model, Pairs
from lensmill.simulation.population.lights import light_model
from lensmill.simulation.population.matched import Matched
from lensmill.simulation.scene import Mass, Scene, Sersic, as_tensor, join, on_device
from lensmill.units import axis_ratio_from_ellipticity, ellipticity_from_axis_ratio

STREAM = 5
ISOTHERMAL = 2.0
SHARES = ("lens_fraction", "bright_fraction", "empty_fraction", "satellites")
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Assembly(ABC):
    """A population of three bands that says which pairs there are; half of the scenes lenses.

    lens_fraction: of scenes; a non-lens is the same draw with the deflection set to zero.
    bright_fraction: of the non-lenses, have a source brightened by up to `bright_magnitudes` and
        moved to up to 2.5 θ_E, so that brightness and distance alone do not make a lens.
    empty_fraction: of the non-lenses, have no source at all.
    brightening: mag, sources are brightened by up to this (uniform): the lenses that a survey
        shallower than LSST's coadd detects have brighter sources.
    ellipticity_scatter: standard deviation of (e1, e2) of the mass about those of the light.
    shear_scatter: standard deviation of each component of the external shear.
    slope: the density slope γ, 2 an isothermal mass; slope_scatter: its standard deviation.
    centre_scatter: arcsec, of the lens galaxy about the stamp's centre, per axis.
    companions: mean number of unrelated galaxies and stars in each stamp, of which three at most
        are placed; `field`: arcsec, the half-width over which they are spread, but for a share of
        `satellites`, which gather around the lens.
    lens_light: "mixed", "de_vaucouleurs" or "cosmodc2"; source_light: "exponential" or "cosmodc2";
        or, either, the keys of `Matched`.
    impostors: shares of the non-lenses that are something else that passes for a lens, by name
        (`impostors.CHOICES`); they have no source.
    clumps: star-forming knots in each source's disk, of its own light.
    """

    lens_fraction: float = 0.5
    bright_fraction: float = 0.5
    bright_magnitudes: float = 3.0
    empty_fraction: float = 0.0
    brightening: float = 0.0
    ellipticity_scatter: float = 0.04
    shear_scatter: float = 0.0
    slope: float = 2.0
    slope_scatter: float = 0.0
    centre_scatter: float = 0.05
    companions: float = 2.0
    field: float = 8.0
    satellites: float = 0.0
    lens_light: str | dict[str, Any] = "mixed"
    source_light: str | dict[str, Any] = "exponential"
    impostors: Mapping[str, float] = dataclass_field(default_factory=dict)
    clumps: int = 0
    tables: tuple[str, ...] = dataclass_field(init=False)
    """Digests of the tables that were read, and whatever else names do not say."""

    def __post_init__(self) -> None:
        """What cannot be had is named when the recipe is read."""
        check_shares(self.impostors)
        for name in SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: a share, from 0 to 1, not {getattr(self, name)}")
        if self.clumps < 0:
            raise ValueError(f"clumps: a number from 0, not {self.clumps}")
        tables = (light.digest for light in self._light.values() if isinstance(light, Matched))
        object.__setattr__(self, "tables", tuple(tables))

    @property
    def bands(self) -> tuple[str, ...]:
        """g, r, i."""
        return ("g", "r", "i")

    @cached_property
    def _light(self) -> dict[str, Model]:
        """The light models of "lens" and "source"."""
        return {
            "lens": light_model("lens", self.lens_light),
            "source": light_model("source", self.source_light),
        }

    @abstractmethod
    def pairs(self, seed: int, indices: Int[Tensor, " batch"]) -> Pairs:
        """Lens and source of the scenes `indices`; pair i is a function of (seed, i) alone."""

    def draw(self, seed: int, indices: Int[Tensor, " batch"]) -> Scene:
        """The scenes `indices`; scene i is a function of (seed, i) alone."""
        device, indices = indices.device, indices.cpu()  # numpy draws, whatever renders
        u = uniform(seed, indices, STREAM, 19).numpy()
        pair = self.pairs(seed, indices)
        is_lens = u[:, 0] < self.lens_fraction
        phi = np.pi * u[:, 1]
        centre = self.centre_scatter * ndtri(u[:, 2:4]).T
        scene = Scene(
            is_lens=torch.from_numpy(is_lens),
            mass=self._mass(pair, is_lens, phi, centre, u[:, [4, 5, 16, 17, 18]]),
            foreground=join(
                self._light["lens"](pair, seed, indices).placed(phi, *centre),
                draw_companions(seed, indices, self.companions, self.field, self.satellites),
            ),
            source=self._source(seed, indices, pair, is_lens, phi, centre, u[:, 11:16]),
            redshift_lens=as_tensor(pair["z_lens"]),
            redshift_source=as_tensor(pair["z_source"]),
        )
        if self.impostors:
            scene = with_impostors(scene, pair, self.impostors, seed, indices, self.brightening)
        if self.clumps:
            scene = replace(scene, source=with_clumps(scene.source, seed, indices, self.clumps))
        return on_device(scene, device)

    def _mass(
        self,
        pair: Pairs,
        is_lens: NDArray[np.bool_],
        phi: Array,
        centre: Array,
        u: Array,
    ) -> Mass:
        light = ellipticity_from_axis_ratio(torch.from_numpy(pair["q_lens"]), torch.from_numpy(phi))
        scatter = torch.from_numpy(self.ellipticity_scatter * ndtri(u[:, :2]).T)
        e1, e2 = light[0] + scatter[0], light[1] + scatter[1]
        shrink = torch.clamp(0.66 / torch.hypot(e1, e2).clamp(min=1e-9), max=1.0)  # q ≥ 0.2
        q, angle = axis_ratio_from_ellipticity(e1 * shrink, e2 * shrink)
        theta_E = np.where(is_lens, np.exp(pair["ln_theta_E"]), 0.0)
        x, y = map(as_tensor, centre)
        mass = Mass(as_tensor(theta_E), q.float(), angle.float(), x, y)
        return self._beyond_sie(mass, is_lens, u[:, 2:5])

    def _beyond_sie(self, mass: Mass, is_lens: NDArray[np.bool_], u: Array) -> Mass:
        """`mass` with the slope and shear that the options ask for; a non-lens has neither."""
        scatter = ndtri(u)
        if self.slope_scatter or self.slope != ISOTHERMAL:
            excess = self.slope - ISOTHERMAL + self.slope_scatter * scatter[:, 0]
            slope = np.clip(ISOTHERMAL + excess * is_lens, 1.4, 2.6)
            mass = replace(mass, slope=as_tensor(slope))
        if self.shear_scatter:
            shear = self.shear_scatter * scatter[:, 1:] * is_lens[:, None]
            mass = replace(mass, gamma1=as_tensor(shear[:, 0]), gamma2=as_tensor(shear[:, 1]))
        return mass

    def _source(
        self,
        seed: int,
        indices: Int[Tensor, " batch"],
        pair: Pairs,
        is_lens: NDArray[np.bool_],
        phi: Array,
        centre: Array,
        u: Array,
    ) -> Sersic:
        """The source, where it lies and as bright as it is made."""
        bright = ~is_lens & (u[:, 0] < self.bright_fraction)
        beta = pair["beta_over_theta_E"] * np.exp(pair["ln_theta_E"])
        beta = np.where(bright, 2.5 * np.exp(pair["ln_theta_E"]) * np.sqrt(u[:, 1]), beta)
        i = pair["i_source"] - np.where(bright, self.bright_magnitudes * u[:, 2], 0.0)
        i = i - self.brightening * u[:, 3]
        i = np.where(~is_lens & (u[:, 4] < self.empty_fraction), np.inf, i)
        angle = phi + pair["beta_angle"]
        pair = {**pair, "i_source": i, "drawn_i_source": pair["i_source"]}
        return self._light["source"](pair, seed, indices).placed(
            phi + pair["phi_source"],
            centre[0] + beta * np.cos(angle),
            centre[1] + beta * np.sin(angle),
        )
