"""Polar: a compact residual network from a stamp to a few numbers, that looks along circles.

Lensed images lie on a ring around the lens at the stamp's centre: in (radius, angle) a larger
Einstein radius is a shift, and so is a turn of the lens.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lensmill.networks.blocks import Stem, as_computed, pad_to_multiple, starting_at_zero


class Normed(nn.Module):
    """x + conv(silu(conv(silu(norm(x))))), the identity at the start of training."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, width)
        self.first = nn.Conv2d(width, width, 3)
        self.second = starting_at_zero(nn.Conv2d(width, width, 3))

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(self.pad(functional.silu(self.norm(x))))
        return x + self.second(self.pad(functional.silu(y)))

    def pad(self, x: Tensor) -> Tensor:
        """Nothing beyond a stamp."""
        return functional.pad(x, (1, 1, 1, 1))


class Ring(Normed):
    """The same on (radius, angle)."""

    def pad(self, x: Tensor) -> Tensor:
        """A circle closes; radii go on as they end."""
        around = functional.pad(x, (1, 1, 0, 0), mode="circular")
        return functional.pad(around, (0, 0, 1, 1), mode="replicate")


class Polar(nn.Module):
    """Residual blocks at 1/fold of the resolution, on `radii` × `angles` points around the centre,
    and on half of these; then moments over the angle, then two linear layers in float32.

    `width`, `wide`: channels before and after that halving. `reach`: the largest radius in pixels;
    beyond the stamp it is as at its edge. `fold`: pixels along a side that become channels. The
    moments are the mean, the maximum, and the dipole and quadrupole, which an ellipticity needs.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        width: int = 32,
        wide: int = 64,
        blocks: int = 2,
        radii: int = 16,
        angles: int = 32,
        reach: float = 24.0,
        hidden: int = 128,
        fold: int = 2,
    ) -> None:
        super().__init__()
        self.radii, self.angles, self.reach, self.fold = radii, angles, reach, fold
        self.stem = nn.Sequential(Stem(in_channels, width, fold), Normed(width))
        self.fine = nn.Sequential(*(Ring(width) for _ in range(blocks)))
        self.down = nn.Conv2d(width, wide, 2, 2)
        self.coarse = nn.Sequential(*(Ring(wide) for _ in range(blocks)))
        self.across = nn.Conv2d(wide, wide, (radii // 2, 1))
        self.norm = nn.LayerNorm(6 * wide)
        self.hidden = nn.Linear(6 * wide, hidden)
        self.head = nn.Linear(hidden, out_channels)

    def forward(self, x: Float[Tensor, "batch c y x"]) -> Float[Tensor, "batch d"]:
        features = self.features(x)
        with torch.autocast(x.device.type, enabled=False):
            return self.head(features)

    def features(self, x: Float[Tensor, "batch c y x"]) -> Float[Tensor, "batch hidden"]:
        """What the last layer sees."""
        padded = pad_to_multiple(as_computed(x), self.fold)
        points = self._points(x.shape[-2:], padded).expand(len(x), -1, -1, -1)
        features = self.stem(padded).contiguous()
        with torch.autocast(x.device.type, enabled=False):
            rings = functional.grid_sample(
                features.float(), points, padding_mode="border", align_corners=False
            )
        rings = functional.silu(self.coarse(self.down(self.fine(rings))))
        around = functional.silu(self.across(rings))[:, :, 0]
        with torch.autocast(x.device.type, enabled=False):
            summary = self.norm(_moments(around.float()))
            return functional.silu(self.hidden(summary))

    def _points(
        self, shape: tuple[int, ...], padded: Float[Tensor, "batch c y x"]
    ) -> Float[Tensor, "1 radius angle 2"]:
        """Where to sample around the centre of `shape`, in the padded stamp from −1 to 1."""
        steps = torch.arange(self.radii, device=padded.device, dtype=torch.float32)
        radius = (steps[:, None] + 0.5) * (self.reach / self.radii)
        angle = torch.arange(self.angles, device=padded.device) * (2 * math.pi / self.angles)
        (height, width), (rows, columns) = shape, padded.shape[-2:]
        x = (width + 2 * radius * torch.cos(angle)) / columns - 1
        y = (height + 2 * radius * torch.sin(angle)) / rows - 1
        return torch.stack([x, y], -1)[None]


def _moments(x: Float[Tensor, "batch c angle"]) -> Float[Tensor, "batch moments"]:
    """Twice the mean, dipole and quadrupole, and the maximum over the angle, of each channel."""
    count = x.shape[-1]
    angle = torch.arange(count, device=x.device, dtype=x.dtype) * (2 * math.pi / count)
    waves = [wave(order * angle) for order in (1, 2) for wave in (torch.cos, torch.sin)]
    basis = 2 * torch.stack([torch.ones_like(angle), *waves], -1) / count
    return torch.cat([(x @ basis).flatten(1), x.amax(-1)], 1)
