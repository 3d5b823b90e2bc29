"""Regress: the posterior of the lens' mass, (ln θ_E, e1, e2)."""

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lensmill.quantities import (
    CONDITIONS,
    E1,
    E2,
    IS_LENS,
    PIXEL_SCALE,
    POSTERIOR_LOG_WEIGHT,
    POSTERIOR_MEAN,
    POSTERIOR_SCALE_TRIL,
    THETA_E,
    Batch,
    by_name,
)
from lensmill.stages.base import NetworkFactory, Stage
from lensmill.stages.posterior import Mixture, from_raw
from lensmill.stages.scaling import band_limited, channel_count, channels

TYPICAL_PIXELS = 6.0
"""θ_E in pixels about which the network works."""


class Regress(Stage):
    """Reads `source` (and whatever else is named), writes the posterior and its centre.

    The network works in pixels; the stage turns them into arcsec. `theta_E` is the posterior
    median, e1 and e2 the posterior mean. `spread` and `tilt` (buffers) calibrate the posterior: it
    is stretched about its mean by `spread` · σ^`tilt` of each parameter. `side`: pixels along y and
    x, at the centre, that are looked at; 0: all.

    The loss is −ln of the posterior's density, of which `theta_E_share` is that of ln θ_E alone:
    where mass follows light, e1 and e2 are known so well that their gradients drown θ_E's.
    """

    scale: Tensor
    spread: Tensor
    tilt: Tensor

    def __init__(
        self,
        network: NetworkFactory,
        bands: tuple[str, ...] = ("g", "r", "i"),
        images: tuple[str, ...] = ("noisy", "source"),
        components: int = 4,
        band_limited: bool = False,
        colours: bool = False,
        side: int = 0,
        theta_E_share: float = 0.0,
    ) -> None:
        super().__init__()
        self.theta_E_share = theta_E_share
        self.band_limited, self.colours, self.side = band_limited, colours, side
        self.bands, self.images, self.components = tuple(bands), tuple(images), components
        self.reads = (*(by_name(name) for name in self.images), *CONDITIONS)
        self.writes = (
            POSTERIOR_LOG_WEIGHT,
            POSTERIOR_MEAN,
            POSTERIOR_SCALE_TRIL,
            THETA_E,
            E1,
            E2,
        )
        self.learns = (IS_LENS, THETA_E, E1, E2, PIXEL_SCALE)
        self.network = network(
            channel_count(len(self.bands), len(self.images), colours), 10 * components
        )
        self.register_buffer("scale", torch.tensor([0.4, 0.2, 0.2]))
        self.register_buffer("spread", torch.ones(3))
        self.register_buffer("tilt", torch.zeros(3))
        self.register_load_state_dict_pre_hook(_calibration_of_old)

    def forward(self, batch: Batch) -> Float[Tensor, "batch raw"]:
        batch = band_limited(batch) if self.band_limited else batch
        return self.network(channels(batch, self.images, self.colours, self.side)).float()

    def posterior(self, output: Tensor, batch: Batch) -> Mixture:
        """The mixture over (ln θ_E/arcsec, e1, e2)."""
        typical = torch.log(TYPICAL_PIXELS * batch["pixel_scale"].float())
        shift = torch.stack([typical, 0 * typical, 0 * typical], -1)[:, None]
        mixture = from_raw(output, self.components).affine(self.scale, shift)
        return mixture.stretched(self.spread, self.tilt)

    def decode(self, output: Tensor, batch: Batch) -> Batch:
        return as_quantities(self.posterior(output, batch))

    def loss(self, output: Tensor, truth: Batch) -> Float[Tensor, " batch"]:
        posterior, value = self.posterior(output, truth), true_parameters(truth)
        loss = -posterior.log_prob(value)
        if not self.theta_E_share:
            return loss
        return torch.lerp(loss, -posterior.marginal_log_prob(value)[:, 0], self.theta_E_share)

    def select(self, truth: Batch) -> Bool[Tensor, " batch"]:
        return truth["is_lens"] > 0.5

    def forget_calibration(self) -> None:
        self.spread.fill_(1.0)
        self.tilt.zero_()

    def metrics(self, predicted: Batch, truth: Batch) -> dict[str, Float[Tensor, " batch"]]:
        value = true_parameters(truth)
        error = torch.stack([predicted[E1.name], predicted[E2.name]], 1) - value[:, 1:]
        return {
            "theta_E_relative_error": (predicted[THETA_E.name] / truth[THETA_E.name] - 1).abs(),
            "ellipticity_error": error.square().sum(1).sqrt(),
            "posterior_log_prob": Mixture.of(predicted).log_prob(value),
        }


def _calibration_of_old(module: Regress, state: dict[str, Tensor], prefix: str, *_: Any) -> None:
    """Weights from before there was a spread have 1, before a tilt 0."""
    state.setdefault(f"{prefix}spread", torch.ones_like(module.spread))
    state.setdefault(f"{prefix}tilt", torch.zeros_like(module.tilt))


def as_quantities(mixture: Mixture) -> dict[str, Tensor]:
    """A posterior and its centre, by name."""
    e1, e2 = mixture.expectation()[:, 1:].unbind(1)
    theta_E = mixture.quantile(0.5)[:, 0].exp()
    return {**mixture.batch(), THETA_E.name: theta_E, E1.name: e1, E2.name: e2}


def true_parameters(truth: Batch) -> Float[Tensor, "batch parameter"]:
    """(ln θ_E/arcsec, e1, e2) of a batch; θ_E below 1e-3″ (non-lenses) counts as 1e-3″."""
    ln_theta_E = torch.log(truth[THETA_E.name].float().clamp(min=1e-3))
    return torch.stack([ln_theta_E, truth[E1.name].float(), truth[E2.name].float()], 1)
