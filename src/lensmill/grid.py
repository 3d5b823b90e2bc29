"""Grid: the pixels of a stamp, and where they lie on the sky."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Grid:
    """`shape` (y, x) pixels of `pixel_scale` arcsec; the origin is the image's centre."""

    shape: tuple[int, int]
    pixel_scale: float

    def __post_init__(self) -> None:
        if min(self.shape) < 1 or self.pixel_scale <= 0:
            raise ValueError(f"a grid needs pixels and a positive pixel scale, not {self}")

    @property
    def extent(self) -> tuple[float, float]:
        """Full width (x, y) of the stamp in arcsec."""
        return self.shape[1] * self.pixel_scale, self.shape[0] * self.pixel_scale

    def supersampled(self, factor: int) -> "Grid":
        """The same field with `factor`² cells for each pixel."""
        y, x = self.shape
        return Grid((y * factor, x * factor), self.pixel_scale / factor)

    def axes(
        self, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
    ) -> tuple[Float[Tensor, " x"], Float[Tensor, " y"]]:
        """Pixel centres along x and along y, arcsec."""

        def centres(count: int) -> Tensor:
            index = torch.arange(count, device=device, dtype=dtype)
            return (index - (count - 1) / 2) * self.pixel_scale

        return centres(self.shape[1]), centres(self.shape[0])

    def coordinates(
        self, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
    ) -> tuple[Float[Tensor, "y x"], Float[Tensor, "y x"]]:
        """(x, y) of every pixel centre, arcsec."""
        x, y = self.axes(device, dtype)
        grid_y, grid_x = torch.meshgrid(y, x, indexing="ij")
        return grid_x, grid_y
