"""Trunk: a compact residual network from a stamp of any shape to a few numbers."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lensmill.networks.blocks import Residual, Stem, pad_to_multiple


class Trunk(nn.Module):
    """Residual blocks at 1/2, 1/4, 1/8 … of the resolution, then mean and maximum over the
    stamp, then two linear layers in float32.

    `widths`: channels of each level, finest first. `blocks`: residual blocks per level.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        widths: tuple[int, ...] = (32, 64, 96, 128),
        blocks: int = 2,
        hidden: int = 128,
    ) -> None:
        super().__init__()
        self.multiple = 2 ** len(widths)
        levels: list[nn.Module] = []
        for fine, coarse in zip((widths[0], *widths[:-1]), widths, strict=True):
            if levels:
                levels.append(nn.Conv2d(fine, coarse, 2, 2))
            levels += [Residual(coarse) for _ in range(blocks)]
        self.stem = Stem(in_channels, widths[0])
        self.body = nn.Sequential(*levels)
        self.norm = nn.LayerNorm(2 * widths[-1])
        self.hidden = nn.Linear(2 * widths[-1], hidden)
        self.head = nn.Linear(hidden, out_channels)

    def forward(self, x: Float[Tensor, "batch c y x"]) -> Float[Tensor, "batch d"]:
        features = self.features(x)
        with torch.autocast(x.device.type, enabled=False):
            return self.head(features)

    def features(self, x: Float[Tensor, "batch c y x"]) -> Float[Tensor, "batch hidden"]:
        """What the last layer sees."""
        x = functional.silu(self.body(self.stem(pad_to_multiple(x, self.multiple))))
        with torch.autocast(x.device.type, enabled=False):
            x = x.float().flatten(2)
            x = self.norm(torch.cat([x.mean(-1), x.amax(-1)], 1))
            return functional.silu(self.hidden(x))
