"""Usual: what systems of the training look like, in several respects, and how rare others are."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

Numbers = Float[Tensor, "system number"]
LEAST = 0.01
"""Scatter of a number below which a deviation does not count as one."""
DIRECTIONS = 16
"""In which most of what a network sees varies; what is kept of it ships in a few kilobytes."""
KEPT = 700
"""Values that a distribution is kept as: fewer could not tell one in a hundred by four respects."""


class Usual(nn.Module):
    """A Gaussian for each respect, and how far from its middle systems of the training lie.

    A respect's buffers are `mean`, `root` (its columns are the directions of largest scatter, each
    over it) and `far`, sorted squared distances of systems that the Gaussian was not made of.
    `rarest` are the same systems' largest shares, sorted.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        for name, value in tensors.items():
            self.register_buffer(name, value)

    @classmethod
    def of(cls, made_of: Mapping[str, Numbers], held_out: Mapping[str, Numbers]) -> "Usual":
        """From numbers of each respect, of some systems and of as many others."""
        tensors: dict[str, Tensor] = {}
        for name, numbers in made_of.items():
            mean, root = gaussian(numbers)
            far = _sorted(distance(held_out[name], mean, root))
            tensors |= {f"{name}_mean": mean, f"{name}_root": root, f"{name}_far": far}
        rarest = cls({**tensors, "rarest": far}).shares(held_out).amax(1)
        return cls({**tensors, "rarest": _sorted(rarest)})

    def shares(self, numbers: Mapping[str, Numbers]) -> Float[Tensor, "system respect"]:
        """In each respect, the share of the training's systems that are nearer to its middle.

        In the order of `numbers`: a file has its tensors in another one.
        """
        return torch.stack([self._share(name, each) for name, each in numbers.items()], 1)

    def rarity(self, shares: Float[Tensor, "system respect"]) -> Float[Tensor, " system"]:
        """The share of the training's systems that are more usual in all respects together."""
        return below(shares.amax(1), self.get_buffer("rarest"))

    def _share(self, name: str, numbers: Numbers) -> Float[Tensor, " system"]:
        mean, root, far = (self.get_buffer(f"{name}_{kind}") for kind in ("mean", "root", "far"))
        return below(distance(numbers, mean, root), far)


def below(value: Float[Tensor, " system"], ordered: Tensor) -> Float[Tensor, " system"]:
    """Share of `ordered` values that are not above each value; never 1."""
    rank = torch.searchsorted(ordered, value.contiguous(), right=True)
    return rank.to(value) / (len(ordered) + 1)


def _sorted(values: Float[Tensor, " system"]) -> Float[Tensor, " kept"]:
    """In order, and evenly thinned to `KEPT`."""
    ordered, count = values.sort().values, min(len(values), KEPT)
    return ordered[((torch.arange(count) + 0.5) * (len(values) / count)).long()]


def distance(numbers: Numbers, mean: Tensor, root: Tensor) -> Float[Tensor, " system"]:
    """Squared Mahalanobis distance over the number of directions; infinite of what is no number."""
    return ((numbers - mean) @ root).square().mean(1).nan_to_num(nan=torch.inf, posinf=torch.inf)


def gaussian(
    numbers: Numbers,
) -> tuple[Float[Tensor, " number"], Float[Tensor, "number direction"]]:
    """Mean, and a root of the precision matrix in the `DIRECTIONS` of largest scatter.

    The correlation is shrunk towards none by the oracle approximating shrinkage (Chen et al. 2010,
    eq. 23), and no number scatters by less than `LEAST`.
    """
    values = numbers.double()
    mean, count, size = values.mean(0), *values.shape
    covariance = (values - mean).mT @ (values - mean) / count
    variance = covariance.diagonal()
    least = (LEAST**2 - variance).clamp(min=0)
    scale = (variance + least).sqrt()
    correlation = (covariance + least.diag()) / scale / scale[:, None]
    power = correlation.square().sum()
    shrink = ((1 - 2 / size) * power + size**2) / ((count + 1 - 2 / size) * (power - size))
    weight = float(shrink.clamp(max=1)) if power > size else 1.0
    shrunk = (1 - weight) * correlation + weight * torch.eye(size).to(correlation)
    spread, axes = torch.linalg.eigh(shrunk)
    root = axes[:, -DIRECTIONS:] / spread[-DIRECTIONS:].sqrt() / scale[:, None]
    return mean.float(), root.float()
