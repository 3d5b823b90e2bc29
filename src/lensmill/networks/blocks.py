"""What the compact networks are made of."""

import torch
from torch import Tensor, nn
from torch.nn import functional


def starting_at_zero(layer: nn.Conv2d) -> nn.Conv2d:
    """`layer` with weights and biases of zero: its output starts at nothing."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


class Residual(nn.Module):
    """x + conv(silu(conv(silu(x)))), the identity at the start of training. No normalisation:
    the scale of an image is what an image network must keep."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = starting_at_zero(nn.Conv2d(width, width, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(functional.silu(self.first(functional.silu(x))))


class Stem(nn.Module):
    """pixel_unshuffle(fold) and a convolution in float32: pixels of a galaxy's core span a range
    that bf16 would round to more than the noise."""

    def __init__(self, in_channels: int, width: int, fold: int = 2) -> None:
        super().__init__()
        self.fold = fold
        self.convolution = nn.Conv2d(fold**2 * in_channels, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return self.convolution(functional.pixel_unshuffle(x.float(), self.fold))


def pad_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """`x` with rows and columns repeated at its far edges until both are multiples."""
    y_pad, x_pad = (-side % multiple for side in x.shape[-2:])
    return functional.pad(x, (0, x_pad, 0, y_pad), mode="replicate")
