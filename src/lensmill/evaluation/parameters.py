"""Parameters: a scene as one row of numbers, and what the population knows of them beforehand.

Mass: ln θ_E, e1, e2, x, y, slope, γ1, γ2. Then every galaxy in front, and every one behind: ln flux
in each band, ln R_e, e1, e2, x, y. Sérsic indices are not among them: they count as known.
"""

import math
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lensmill.simulation.population import Population
from lensmill.simulation.population import companions as neighbours
from lensmill.simulation.population import structure as impostors
from lensmill.simulation.scene import Mass, Scene, Sersic, mapped
from lensmill.units import axis_ratio_from_ellipticity, ellipticity_from_axis_ratio

MASS = ("ln_theta_E", "e1", "e2", "x", "y", "slope", "gamma1", "gamma2")
SHAPE = ("ln_radius", "e1", "e2", "x", "y")
"""Of a galaxy, after its fluxes."""
LN_PER_MAGNITUDE = -0.4 * math.log(10)
ROUND = 1e-6
"""The least ellipticity: a circle has no angle by which to differentiate."""
SMALLEST = 1e-6
"""Standard deviations below this, and eigenvalues below 1e-9 of a correlation, are rounding."""
ENOUGH = 4
"""Draws for each free parameter, below which a prior is not to be had."""


def in_double(part: Any) -> Any:
    """A scene, or a part of one, in float64."""
    return mapped(part, lambda value: value.double() if value.is_floating_point() else value)


def values_of(scene: Scene) -> Float[Tensor, "batch parameter"]:
    """The parameters of each scene; −inf for the logarithm of nothing."""
    return torch.cat([_mass(scene.mass), *map(_galaxies, (scene.foreground, scene.source))], 1)


def _mass(mass: Mass) -> Tensor:
    zero = torch.zeros_like(mass.theta_E)
    e1, e2 = ellipticity_from_axis_ratio(mass.q, mass.phi)
    rest = (zero if value is None else value for value in (mass.slope, mass.gamma1, mass.gamma2))
    return torch.stack([mass.theta_E.log(), e1, e2, mass.x, mass.y, *rest], 1)


def _galaxies(light: Sersic) -> Tensor:
    e1, e2 = ellipticity_from_axis_ratio(light.q, light.phi)
    shape = torch.stack([light.half_light_radius.log(), e1, e2, light.x, light.y], -1)
    return torch.cat([LN_PER_MAGNITUDE * light.magnitude, shape], -1).flatten(1)


def scene_of(values: Float[Tensor, "batch parameter"], like: Scene) -> Scene:
    """The scene that has these parameters, and all else as `like`; differentiable."""
    front, behind = (_width(part) for part in (like.foreground, like.source))
    mass, foreground, source = values.split([len(MASS), front, behind], 1)
    return replace(
        like,
        mass=_mass_of(mass, like.mass),
        foreground=_galaxies_of(foreground, like.foreground),
        source=_galaxies_of(source, like.source),
    )


def _width(light: Sersic) -> int:
    _, components, bands = light.magnitude.shape
    return components * (bands + len(SHAPE))


def _mass_of(values: Tensor, like: Mass) -> Mass:
    ln_theta_E, e1, e2, x, y, *rest = values.unbind(1)
    others = (like.slope, like.gamma1, like.gamma2)
    beyond = (None if old is None else new for old, new in zip(others, rest, strict=True))
    return Mass(ln_theta_E.exp(), *_axes(e1, e2), x, y, *beyond)


def _galaxies_of(values: Tensor, like: Sersic) -> Sersic:
    _, components, bands = like.magnitude.shape
    each = values.unflatten(1, (components, -1))
    ln_radius, e1, e2, x, y = each[..., bands:].unbind(-1)
    magnitude = each[..., :bands] / LN_PER_MAGNITUDE
    return Sersic(magnitude, ln_radius.exp(), like.index, *_axes(e1, e2), x, y)


def _axes(e1: Tensor, e2: Tensor) -> tuple[Tensor, Tensor]:
    circle = torch.hypot(e1.detach(), e2.detach()) < ROUND
    return axis_ratio_from_ellipticity(e1 + ROUND * circle, e2)


@dataclass(frozen=True)
class Prior:
    """Gaussian in the parameters `free`, of covariance root · rootᵀ; the others are known.

    Whatever the population ties (the mass to the light, a disk's place to its bulge's) is tied in
    `root`, which has fewer columns than rows then: no precision matrix has to exist.
    """

    free: Int[Tensor, " free"]
    root: Float[Tensor, "free direction"]

    @classmethod
    def of(cls, draws: Float[Tensor, "draw parameter"], columns: Int[Tensor, " column"]) -> "Prior":
        """From the mean products of what was drawn, in `columns`."""
        values = draws[:, columns]
        known = ~values.isfinite().all(0) | (values.std(0) < SMALLEST)
        free, values = columns[~known], values[:, ~known]
        scale = values.std(0)
        size, axes = torch.linalg.eigh(torch.atleast_2d(torch.corrcoef((values / scale).mT)))
        kept = size > 1e-9
        return cls(free, scale[:, None] * axes[:, kept] * size[kept].sqrt())

    def beside(self, other: "Prior", shift: int) -> "Prior":
        """Both, independent of each other; the `other`'s parameters `shift` further on."""
        free = torch.cat([self.free, other.free + shift])
        return Prior(free, torch.block_diag(self.root, other.root))


@dataclass(frozen=True)
class Ensemble:
    """Draws of a population, and with them what is known of a system before it is seen.

    Lens, its light and the source belong together, coupled as they are drawn; companions are each
    by themselves. Which galaxies shine, and whether it is a lens, counts as known.
    """

    values: Float[Tensor, "draw parameter"]
    kind: Bool[Tensor, "draw lens_and_galaxy"]
    companions: range
    """Which of the galaxies in front are not the lens'."""
    bands: int

    @classmethod
    def of(cls, population: Population, seed: int, indices: Int[Tensor, " draw"]) -> "Ensemble":
        """The scenes `indices`: thousands."""
        scene = in_double(population.draw(seed, indices))
        end = scene.foreground.x.shape[1] - impostors.SLOTS * (scene.impostor is not None)
        companions = range(end - neighbours.SLOTS, end)
        return cls(values_of(scene), shining(scene), companions, len(population.bands))

    def prior(self, scene: Scene) -> Prior | None:
        """Of the one `scene`; None where too few of its kind were drawn."""
        (kind,) = shining(scene)
        own = torch.ones_like(kind)
        own[[1 + k for k in self.companions]] = False
        draws = self.values[(self.kind[:, own] == kind[own]).all(1)]
        if len(draws) < 2:
            return None
        mass = kind[:1].expand(len(MASS))  # what does not deflect has no mass to know
        columns = torch.cat([mass, own[1:].repeat_interleave(self._width)]).nonzero()[:, 0]
        prior = Prior.of(draws, columns)
        if len(draws) < ENOUGH * len(prior.free):
            return None
        there = [k for k in self.companions if kind[1 + k]]
        return reduce(lambda some, k: some.beside(self._companion, self._first(k)), there, prior)

    @property
    def _width(self) -> int:
        return self.bands + len(SHAPE)

    def _first(self, galaxy: int) -> int:
        """The first parameter of a galaxy in front."""
        return len(MASS) + galaxy * self._width

    @property
    def _companion(self) -> Prior:
        """Of any companion; its parameters counted from 0."""
        rows = [
            self.values[self.kind[:, 1 + k], self._first(k) : self._first(k + 1)]
            for k in self.companions
        ]
        return Prior.of(torch.cat(rows), torch.arange(self._width))


def shining(scene: Scene) -> Bool[Tensor, "batch lens_and_galaxy"]:
    """Is it a lens; does each galaxy in front, and each behind, shine?"""
    lit = [each.magnitude.isfinite().any(-1) for each in (scene.foreground, scene.source)]
    return torch.cat([scene.is_lens[:, None], *lit], 1)
