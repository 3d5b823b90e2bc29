"""UNet: a compact residual U-Net on pixel-unshuffle, for stamps of any shape."""

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lensmill.networks.blocks import Residual, Stem, as_computed, pad_to_multiple, starting_at_zero


class UNet(nn.Module):
    """Residual blocks at 1/fold, 1/(2 fold) … of the resolution, skips added; output in float32.

    `widths`: channels of each level, finest first. `blocks`: residual blocks per level and side.
    `fold`: pixels along a side that become channels; with a PSF many pixels wide more of them
    lose nothing, and cost less.
    The last convolution starts at zero: an untrained network outputs zero.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        widths: tuple[int, ...] = (32, 64, 128),
        blocks: int = 2,
        fold: int = 2,
    ) -> None:
        super().__init__()
        steps = list(pairwise(widths))
        self.fold, self.multiple = fold, fold * 2 ** len(steps)
        self.stem = Stem(in_channels, widths[0], fold)
        self.encoders = nn.ModuleList(_blocks(w, blocks) for w in widths)
        self.downs = nn.ModuleList(nn.Conv2d(fine, coarse, 2, 2) for fine, coarse in steps)
        self.ups = nn.ModuleList(nn.Conv2d(coarse, 4 * fine, 1) for fine, coarse in steps)
        self.decoders = nn.ModuleList(_blocks(w, blocks) for w in widths[:-1])
        self.head = starting_at_zero(nn.Conv2d(widths[0], fold**2 * out_channels, 3, padding=1))

    def forward(self, x: Float[Tensor, "batch c y x"]) -> Float[Tensor, "batch d y x"]:
        shape = x.shape[-2:]
        x = self.stem(pad_to_multiple(as_computed(x), self.multiple))
        skips = []
        for encoder, down in zip(self.encoders, self.downs, strict=False):
            skips.append(encoder(x))
            x = down(skips[-1])
        x = self.encoders[-1](x)
        for up, decoder in zip(reversed(self.ups), reversed(self.decoders), strict=True):
            x = decoder(skips.pop() + functional.pixel_shuffle(up(x), 2))
        x = functional.pixel_shuffle(self.head(x), self.fold).float()
        return x[..., : shape[0], : shape[1]]


def _blocks(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(Residual(width) for _ in range(count)))
