"""Job: all that a worker must know beside its partition."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch

from lensmill.survey.chain import Chain, load_chain
from lensmill.survey.inference import prepared
from lensmill.survey.reading import Reading
from lensmill.training.precision import Precision


@dataclass(frozen=True)
class Options:
    """What a run does beside the catalogue, and how."""

    pictures: int = 500
    """Objects, in order of reading, that get a picture."""
    images: bool = False
    """Write denoised, source and lens light of every object as FITS."""
    batch: int = 0
    """Stamps at once; 0: as many as memory and caches take."""
    device: str = "cpu"
    p_lens: float | None = None
    """Objects below it are not modelled: their columns of the mass stay empty."""
    precision: Precision | None = None
    """Numbers of the networks; None: bf16 where that is faster and says the same."""


@dataclass(frozen=True)
class Job:
    """A run as its workers see it; it travels to them with every partition."""

    out: Path
    reading: Reading
    weights: Path | None
    trust: bool
    digest: str  # of the weights
    options: Options
    precision: Precision
    threads: int | None = None  # of torch; None: as many as it likes

    def chain(self) -> Chain:
        """The weights, loaded once in a process; ValueError where they are not the run's."""
        if self.threads is not None:
            torch.set_num_threads(self.threads)
        chain = _loaded(self.weights, self.trust, self.options.device, self.precision)
        if chain.digest != self.digest:
            raise ValueError(f"the weights here ({chain.digest}) are not the run's ({self.digest})")
        return chain


@lru_cache(maxsize=1)
def _loaded(weights: Path | None, trust: bool, device: str, precision: Precision) -> Chain:
    return prepared(load_chain(weights, trust), device, precision)
