"""Information: how well a system can be known from its image at best.

An image of mean μ(θ), and of variance v = σ_sky² + μ in every pixel (e⁻), holds the Fisher
information F = Jᵀ (1/v + 1/(2v²)) J with J = ∂μ/∂θ; the second term is that of the variance. With
a Gaussian prior of precision Π no estimate has a covariance below C = (F + Π)⁻¹, and that of the
images is J C Jᵀ (van Trees 1968). Local: J is taken at the truth.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
import torch.autograd.forward_ad as forward_ad
from jaxtyping import Float, Int
from torch import Tensor

from lensmill.evaluation.parameters import MASS, SHAPE, Prior, scene_of, values_of
from lensmill.grid import Grid
from lensmill.simulation.rendering import Sampling, render
from lensmill.simulation.scene import Conditions, Scene, Sersic


@dataclass(frozen=True)
class Telescope:
    """What makes images of scenes."""

    conditions: Conditions
    grid: Grid
    sampling: Sampling

    def images(self, scene: Scene) -> tuple[Tensor, Tensor]:
        """(clean, source), e⁻."""
        return render(scene, self.conditions, self.grid, self.sampling)

    def variance(self, clean: Float[Tensor, "batch band y x"]) -> Tensor:
        """Of every pixel, e⁻²."""
        return (self.conditions.sky_sigma**2)[..., None, None] + clean.clamp(min=0)


@dataclass(frozen=True)
class Jacobian:
    """∂(clean)/∂θ and ∂(source)/∂θ of the free parameters."""

    clean: Float[Tensor, "batch free band y x"]
    source: Float[Tensor, "batch free band y x"]


def jacobian(scene: Scene, telescope: Telescope, free: Int[Tensor, " free"]) -> Jacobian:
    """At float64 scenes, of the parameters `free`, by forward differentiation."""
    values, bands = values_of(scene), scene.source.magnitude.shape[-1]
    behind = len(MASS) + scene.foreground.x.shape[1] * (bands + len(SHAPE))
    parts = []
    for group in _together(free, bands):
        of_source = group[0] < len(MASS) or group[0] >= behind
        clean = _derivative(values, scene, telescope, group, of_source)
        each = _of_each(clean, group)
        parts.append((each, each if of_source else torch.zeros_like(each)))
    clean, source = (torch.cat(part, 1) for part in zip(*parts, strict=True))
    return Jacobian(clean, source)


def _together(free: Int[Tensor, " free"], bands: int) -> Iterator[list[int]]:
    """What is differentiated by at once: each parameter alone, but a galaxy's fluxes together."""
    group: list[int] = []
    for parameter in free.tolist():
        flux = _band(parameter, bands)
        if group and not (flux and parameter == group[-1] + 1):
            yield group
            group = []
        group.append(parameter)
    yield group


def _band(parameter: int, bands: int) -> int | None:
    """The band of a flux; None of other parameters."""
    place = (parameter - len(MASS)) % (bands + len(SHAPE))
    return place if parameter >= len(MASS) and place < bands else None


def _derivative(
    values: Tensor, scene: Scene, telescope: Telescope, group: list[int], of_source: bool
) -> Float[Tensor, "batch band y x"]:
    """Of the part of the light that the parameters change, along all of `group`."""
    tangent = torch.zeros_like(values)
    tangent[:, group] = 1

    def light(values: Tensor) -> Tensor:
        whole = scene_of(values, scene)
        if of_source:
            part = replace(whole, foreground=_dark(whole.foreground), points=None)
        else:
            part = replace(whole, source=_dark(whole.source), points=None)
        return telescope.images(part)[0]

    with forward_ad.dual_level():
        change = forward_ad.unpack_dual(light(forward_ad.make_dual(values, tangent))).tangent
    return torch.zeros_like(telescope.images(scene)[0]) if change is None else change


def _dark(light: Sersic) -> Sersic:
    """Components without light cost nothing."""
    return replace(light, magnitude=torch.full_like(light.magnitude, torch.inf))


def _of_each(change: Float[Tensor, "batch band y x"], group: list[int]) -> Tensor:
    """(batch, parameter, band, y, x): of several fluxes each changes its own band alone."""
    if len(group) == 1:
        return change[:, None]
    bands = change.shape[1]
    own = torch.eye(bands).to(change)[[_band(parameter, bands) for parameter in group]]
    return change[:, None] * own[..., None, None]


@dataclass(frozen=True)
class Bound:
    """The least covariance of estimates, as the roots of what it is in parameters and images.

    root: root · rootᵀ is C of the free parameters. whitened: likewise of what multiplies the columns
    of the prior's root. clean, source: of the images.
    """

    whitened: Float[Tensor, "batch direction direction"]
    root: Float[Tensor, "batch free direction"]
    clean: Float[Tensor, "batch direction band y x"]
    source: Float[Tensor, "batch direction band y x"]

    @classmethod
    def of(cls, change: Jacobian, variance: Float[Tensor, "batch band y x"], prior: Prior) -> "Bound":
        """C = L (1 + Lᵀ F L)⁻¹ Lᵀ with the prior's root L: F alone is never inverted."""
        whitened = _along(change.clean, prior.root)
        flat = whitened.flatten(2)
        weight = (1 / variance + 0.5 / variance**2).flatten(1)[:, None]
        information = (flat * weight) @ flat.mT
        precision = information + torch.eye(flat.shape[1]).to(flat)
        inverse = torch.linalg.inv(torch.linalg.cholesky(precision)).mT
        source = _along(change.source, prior.root)
        clean, source = (_along(each, inverse) for each in (whitened, source))
        return cls(inverse, prior.root @ inverse, clean, source)

    def sigma(self) -> Float[Tensor, "batch free"]:
        """Least standard deviation of each free parameter."""
        return self.root.square().sum(-1).sqrt()


def _along(change: Float[Tensor, "batch free band y x"], root: Float[Tensor, "..."]) -> Tensor:
    """Derivatives along the columns of `root`."""
    return (root.mT @ change.flatten(2)).unflatten(2, change.shape[2:])
