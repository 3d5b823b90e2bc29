"""EDSR: the paper's image network (Lim et al. 2017; Madireddy et al. 2019, without up-sampling)."""

from jaxtyping import Float
from torch import Tensor, nn


def _convolution(in_channels: int, out_channels: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, padding=1)


class _Block(nn.Module):
    def __init__(self, width: int, residual_scale: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _convolution(width, width), nn.ReLU(inplace=True), _convolution(width, width)
        )
        self.residual_scale = residual_scale

    def forward(self, x: Tensor) -> Tensor:
        return x + self.residual_scale * self.body(x)


class EDSR(nn.Module):
    """`blocks` residual blocks of `width` channels, no batch norm, one global skip.

    The paper: 16 × 256 for three bands, 19,486,723 parameters.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        width: int = 256,
        blocks: int = 16,
        residual_scale: float = 0.1,
    ) -> None:
        super().__init__()
        self.head = _convolution(in_channels, width)
        body = [_Block(width, residual_scale) for _ in range(blocks)]
        self.body = nn.Sequential(*body, _convolution(width, width))
        self.tail = _convolution(width, out_channels)

    def forward(self, x: Float[Tensor, "batch c y x"]) -> Float[Tensor, "batch d y x"]:
        x = self.head(x)
        return self.tail(x + self.body(x))
