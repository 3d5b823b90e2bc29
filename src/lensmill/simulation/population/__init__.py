"""Populations: anything with `bands` and `draw(seed, indices) -> Scene`."""

from typing import Protocol, runtime_checkable

from jaxtyping import Int
from torch import Tensor

from lensmill.simulation.scene import Scene


@runtime_checkable
class Population(Protocol):
    """What the simulator needs of a population."""

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands of the magnitudes that are drawn, in order."""
        ...

    def draw(self, seed: int, indices: Int[Tensor, " batch"]) -> Scene:
        """The scenes `indices`; scene i is a function of (seed, i) alone."""
        ...
