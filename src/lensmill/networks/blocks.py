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
    """pixel_unshuffle(fold) and a convolution, as the one convolution of stride fold that they are:
    nothing is moved about in memory first."""

    def __init__(self, in_channels: int, width: int, fold: int = 2) -> None:
        super().__init__()
        self.fold = fold
        self.convolution = nn.Conv2d(fold**2 * in_channels, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = as_computed(x).contiguous(memory_format=torch.channels_last)
        bias, fold = self.convolution.bias, self.fold
        return functional.conv2d(x, self.kernel(), bias, stride=fold, padding=fold)

    def kernel(self) -> Tensor:
        """The weights of the convolution on pixels: (width, in_channels, 3 fold, 3 fold)."""
        weight = self.convolution.weight.unflatten(1, (-1, self.fold, self.fold))
        return weight.permute(0, 1, 4, 2, 5, 3).flatten(4).flatten(2, 3)


def as_computed(x: Tensor) -> Tensor:
    """`x` as convolutions will have it, so that what comes before them moves fewer bytes."""
    device = x.device.type
    return x.to(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else x


def pad_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """`x` with rows and columns repeated at its far edges until both are multiples."""
    y_pad, x_pad = (-side % multiple for side in x.shape[-2:])
    if not y_pad and not x_pad:
        return x
    return functional.pad(x, (0, x_pad, 0, y_pad), mode="replicate")
