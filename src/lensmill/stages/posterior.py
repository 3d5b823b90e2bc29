"""Posterior: a mixture of full-covariance Gaussians over (ln θ_E, e1, e2)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lensmill.quantities import POSTERIOR_LOG_WEIGHT, POSTERIOR_MEAN, POSTERIOR_SCALE_TRIL, Batch

PARAMETERS = ("ln_theta_E", "e1", "e2")


@dataclass(frozen=True)
class Mixture:
    """A Gaussian mixture per object."""

    log_weight: Float[Tensor, "batch component"]
    mean: Float[Tensor, "batch component parameter"]
    scale_tril: Float[Tensor, "batch component parameter parameter"]

    @classmethod
    def mixed(cls, members: Sequence["Mixture"]) -> "Mixture":
        """The mixture of `members`, each as likely as the others."""
        names = ("log_weight", "mean", "scale_tril")
        log_weight, *others = (torch.cat([getattr(m, n) for m in members], 1) for n in names)
        return cls(log_weight - math.log(len(members)), *others)

    def members(self, count: int) -> list["Mixture"]:
        """The `count` mixtures that `mixed` made this one of."""
        parts = (each.chunk(count, 1) for each in vars(self).values())
        return [Mixture(w + math.log(count), m, s) for w, m, s in zip(*parts, strict=True)]

    def rows(self, chosen: Int[Tensor, " row"]) -> "Mixture":
        """Those of some objects."""
        return Mixture(self.log_weight[chosen], self.mean[chosen], self.scale_tril[chosen])

    @classmethod
    def of(cls, batch: Batch) -> "Mixture":
        """The mixture that a batch carries."""
        names = (POSTERIOR_LOG_WEIGHT, POSTERIOR_MEAN, POSTERIOR_SCALE_TRIL)
        return cls(*(batch[quantity.name] for quantity in names))

    def batch(self) -> dict[str, Tensor]:
        """The mixture as named quantities."""
        return {
            POSTERIOR_LOG_WEIGHT.name: self.log_weight,
            POSTERIOR_MEAN.name: self.mean,
            POSTERIOR_SCALE_TRIL.name: self.scale_tril,
        }

    def affine(self, scale: Float[Tensor, " parameter"], shift: Tensor) -> "Mixture":
        """The mixture of `scale` · parameters + `shift` (broadcast to (batch, 1, parameter))."""
        return Mixture(self.log_weight, self.mean * scale + shift, self.scale_tril * scale[:, None])

    def widened(self, scale: Float[Tensor, "*batch parameter"]) -> "Mixture":
        """The mixture stretched by `scale` (of all objects, or of each) about its mean."""
        centre = self.expectation()[:, None]
        scale = scale.expand_as(centre[:, 0])[:, None]
        mean = centre + scale * (self.mean - centre)
        return Mixture(self.log_weight, mean, self.scale_tril * scale[..., None])

    def stretched(
        self, spread: Float[Tensor, " parameter"], tilt: Float[Tensor, " parameter"]
    ) -> "Mixture":
        """Widened by `spread` · σ^`tilt`, σ being each object's own: what is known well may be off
        by another factor than what is not."""
        return self.widened(spread * self.sigma() ** tilt)

    def log_prob(self, value: Float[Tensor, "batch parameter"]) -> Float[Tensor, " batch"]:
        """ln of the density at `value`."""
        offset = (value[:, None] - self.mean)[..., None]
        z = torch.linalg.solve_triangular(self.scale_tril, offset, upper=False)[..., 0]
        log_det = self.scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        count = value.shape[-1]
        log_normal = -0.5 * z.square().sum(-1) - log_det - 0.5 * count * math.log(2 * math.pi)
        return torch.logsumexp(self.log_weight + log_normal, 1)

    def marginal_log_prob(
        self, value: Float[Tensor, "batch parameter"]
    ) -> Float[Tensor, "batch parameter"]:
        """ln of each parameter's own density at `value`, whatever the others are."""
        sigma = self.scale_tril.square().sum(-1).sqrt()
        z = (value[:, None] - self.mean) / sigma
        log_normal = -0.5 * z.square() - sigma.log() - 0.5 * math.log(2 * math.pi)
        return torch.logsumexp(self.log_weight[..., None] + log_normal, 1)

    def expectation(self) -> Float[Tensor, "batch parameter"]:
        """Posterior mean of each parameter."""
        return (self.log_weight.exp()[..., None] * self.mean).sum(1)

    def sigma(self) -> Float[Tensor, "batch parameter"]:
        """Standard deviation of each parameter."""
        offset = self.mean - self.expectation()[:, None]
        square = self.scale_tril.square().sum(-1) + offset.square()
        return (self.log_weight.exp()[..., None] * square).sum(1).sqrt()

    def sample(
        self, count: int, generator: torch.Generator | None = None
    ) -> Float[Tensor, "batch count parameter"]:
        """Independent draws."""
        weight = self.log_weight.exp()
        chosen = torch.multinomial(weight, count, replacement=True, generator=generator)
        rows = torch.arange(len(weight), device=weight.device)[:, None]
        shape = (*chosen.shape, self.mean.shape[-1], 1)
        z = torch.randn(shape, generator=generator, device=weight.device, dtype=weight.dtype)
        return self.mean[rows, chosen] + (self.scale_tril[rows, chosen] @ z)[..., 0]

    def cdf(self, value: Float[Tensor, "batch parameter"]) -> Float[Tensor, "batch parameter"]:
        """Marginal probability below `value`, for each parameter."""
        sigma = self.scale_tril.square().sum(-1).sqrt()
        z = (value[:, None] - self.mean) / sigma
        return (self.log_weight.exp()[..., None] * torch.special.ndtr(z)).sum(1)

    def quantile(self, level: float) -> Float[Tensor, "batch parameter"]:
        """Marginal quantile of each parameter, by bisection to float32 accuracy."""
        sigma = self.scale_tril.square().sum(-1).sqrt()
        low = (self.mean - 8 * sigma).amin(1)
        high = (self.mean + 8 * sigma).amax(1)
        for _ in range(40):
            middle = 0.5 * (low + high)
            below = self.cdf(middle) < level
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return 0.5 * (low + high)


def from_raw(raw: Float[Tensor, "batch raw"], components: int) -> Mixture:
    """The mixture of a network's `components` · 10 raw numbers: weights, means, Cholesky factors.

    Diagonals are held between 1e-3 and 1e2 of the unit the stage scales to.
    """
    weight, mean, diagonal, lower = raw.split(
        [components, 3 * components, 3 * components, 3 * components], dim=1
    )
    shape = (len(raw), components, 3)
    scale = torch.diag_embed(diagonal.reshape(shape).clamp(-6.9, 4.6).exp())
    rows, columns = torch.tril_indices(3, 3, -1)
    scale[..., rows, columns] = lower.reshape(shape)
    return Mixture(torch.log_softmax(weight, 1), mean.reshape(shape), scale)
