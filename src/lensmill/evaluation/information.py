"""Information: how well a system can be known from its image at best.

An image of mean μ(θ), and of variance v = σ_sky² + μ in every pixel (e⁻), holds the Fisher
information F = Jᵀ (1/v + 1/(2v²)) J with J = ∂μ/∂θ; the second term is that of the variance. With
a Gaussian prior of precision Π no estimate has a covariance below C = (F + Π)⁻¹, and that of the
images is J C Jᵀ (van Trees 1968). Local: J is taken at the truth.
"""

from dataclasses import dataclass, replace

import torch
import torch.autograd.forward_ad as forward_ad
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lensmill.evaluation.parameters import MASS, SHAPE, Prior, scene_of, values_of
from lensmill.grid import Grid
from lensmill.simulation.rendering import Sampling, render
from lensmill.simulation.scene import Conditions, Scene, Sersic, selected


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
    """At float64 scenes, of the parameters `free`, by forward differentiation.

    Each scene is rendered once for each parameter, of which a copy moves along its own and shines
    only with what that changes.
    """
    count = len(scene.is_lens)
    copies = torch.arange(count).repeat_interleave(len(free))
    like = replace(selected(scene, copies), points=None)
    seen = replace(telescope, conditions=selected(telescope.conditions, copies))
    lit = _changed(scene, free).repeat(count, 1)
    values = values_of(like)
    tangent = torch.zeros_like(values).scatter(1, free.repeat(count)[:, None], 1.0)
    with forward_ad.dual_level():
        moved = scene_of(forward_ad.make_dual(values, tangent), like)
        images = seen.images(_with_light(moved, lit))
        changes = [_tangent(image).unflatten(0, (count, -1)) for image in images]
    return Jacobian(*changes)


def _changed(scene: Scene, free: Int[Tensor, " free"]) -> Bool[Tensor, "free galaxy"]:
    """Whose light depends on each parameter: the galaxy's own, or on the mass that behind it."""
    front, (behind, bands) = scene.foreground.x.shape[1], scene.source.magnitude.shape[1:]
    galaxy = torch.arange(front + behind)
    own = (free[:, None] - len(MASS)).div(bands + len(SHAPE), rounding_mode="floor") == galaxy
    return torch.where(free[:, None] < len(MASS), galaxy >= front, own)


def _with_light(scene: Scene, lit: Bool[Tensor, "batch galaxy"]) -> Scene:
    """Components without light cost nothing."""
    front, behind = lit.split([scene.foreground.x.shape[1], scene.source.x.shape[1]], 1)
    return replace(
        scene, foreground=_only(scene.foreground, front), source=_only(scene.source, behind)
    )


def _only(light: Sersic, lit: Bool[Tensor, "batch galaxy"]) -> Sersic:
    return replace(light, magnitude=light.magnitude.masked_fill(~lit[..., None], torch.inf))


def _tangent(image: Float[Tensor, "batch band y x"]) -> Float[Tensor, "batch band y x"]:
    change = forward_ad.unpack_dual(image).tangent
    return torch.zeros_like(image) if change is None else change


@dataclass(frozen=True)
class Bound:
    """The least covariance of estimates, as the roots of what it is in parameters and images.

    root: root · rootᵀ is C of the free parameters. whitened: likewise of what multiplies the
    columns of the prior's root. clean, source: of the images.
    """

    whitened: Float[Tensor, "batch direction direction"]
    root: Float[Tensor, "batch free direction"]
    clean: Float[Tensor, "batch direction band y x"]
    source: Float[Tensor, "batch direction band y x"]

    @classmethod
    def of(
        cls, change: Jacobian, variance: Float[Tensor, "batch band y x"], prior: Prior
    ) -> "Bound":
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
