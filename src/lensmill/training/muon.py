"""Muon: steps whose singular values are all about one, for matrices and convolutions."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Jordan et al. (2024): a quintic that drives singular values towards one in a few rounds."""
ROUNDS = 5
ADAM_RMS = 0.2
"""Root mean square of AdamW's steps in practice (Liu et al. 2025, arXiv:2502.16982), to which
these are scaled: a learning rate means the same for both."""


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, made orthogonal, for weights of two dimensions and more (a convolution is
    the matrix of its filters); Adam for the rest. Weight decay is decoupled, as in AdamW.

    torch.optim.Muon takes matrices only, and no other parameters beside them.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        weight_decay: float = 0.0,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.999),
    ) -> None:
        defaults = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "betas": betas}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None if closure is None else closure()
        for group in self.param_groups:
            for weight in (each for each in group["params"] if each.grad is not None):
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                turn = _orthogonal if weight.ndim > 1 else _adam
                weight.sub_(group["lr"] * turn(weight.grad, self.state[weight], group))
        return loss


def _orthogonal(gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> Tensor:
    mean: Tensor = state.setdefault("momentum", torch.zeros_like(gradient))
    mean.lerp_(gradient, 1 - group["momentum"])
    ahead = torch.lerp(gradient, mean, group["momentum"]).flatten(1)
    return (ADAM_RMS * max(ahead.shape) ** 0.5 * orthogonal(ahead)).reshape(gradient.shape)


def _adam(gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> Tensor:
    mean: Tensor = state.setdefault("mean", torch.zeros_like(gradient))
    square: Tensor = state.setdefault("square", torch.zeros_like(gradient))
    steps: Tensor = state.setdefault("steps", torch.zeros(()))
    steps.add_(1)
    first, second = group["betas"]
    mean.lerp_(gradient, 1 - first)
    square.lerp_(gradient.square(), 1 - second)
    size = (square / (1 - second ** float(steps))).sqrt()
    return mean / (1 - first ** float(steps)) / (size + 1e-8)


def orthogonal(matrix: Float[Tensor, "row column"]) -> Float[Tensor, "row column"]:
    """`matrix` with singular values of about one (0.7 to 1.2), its singular vectors kept."""
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonal(matrix.mT).mT
    a, b, c = NEWTON_SCHULZ
    x = matrix / (matrix.norm() + 1e-7)
    for _ in range(ROUNDS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x
