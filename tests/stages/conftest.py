"""A few simulated scenes, and every stage with a network that is quick and not at zero."""

from functools import partial

import pytest
import torch

from lensmill.grid import Grid
from lensmill.networks.trunk import Trunk
from lensmill.networks.unet import UNet
from lensmill.physics.surveys import preset
from lensmill.simulation.observing import Observing
from lensmill.simulation.population.priors import Priors
from lensmill.simulation.simulator import Simulator
from lensmill.stages.classify import Classify
from lensmill.stages.deblend import Deblend
from lensmill.stages.denoise import Denoise
from lensmill.stages.regress import Regress

IMAGE = partial(UNet, widths=(8, 12), blocks=1)
VECTOR = partial(Trunk, widths=(8, 12), blocks=1, hidden=16)
MAKERS = {
    "denoise": partial(Denoise, IMAGE),
    "deblend": partial(Deblend, IMAGE, images=("clean", "noisy")),
    "classify": partial(Classify, VECTOR),
    "regress": partial(Regress, VECTOR, components=2),
}
EVERYTHING = {"band_limited": True, "colours": True}
OTHERS = {
    "deblend with everything": partial(
        Deblend, IMAGE, images=("clean", "noisy"), stretched=0.5, unmixed=True, **EVERYTHING
    ),
    "classify with everything": partial(Classify, VECTOR, **EVERYTHING),
}


@pytest.fixture(scope="session")
def simulated():
    """Eight scenes, 34×39 pixels, lenses and others, seeing and depth varied."""
    observing = Observing(preset("lsst_10year"), psf_fwhm=(0.6, 0.9), depth=(0.3, 1.0))
    simulator = Simulator(Priors(brightening=2.0, companions=0.5), observing, Grid((34, 39), 0.2))
    return simulator(5, torch.arange(8))


@pytest.fixture
def batch(simulated):
    return dict(simulated)


@pytest.fixture(params=[*MAKERS, *OTHERS])
def stage(request):
    """Each stage, freshly initialised."""
    torch.manual_seed(1)
    return {**MAKERS, **OTHERS}[request.param]()


@pytest.fixture
def stages():
    """All four in the pipeline's order, their last layers no longer zero."""
    torch.manual_seed(2)
    members = [make() for make in MAKERS.values()]
    with torch.no_grad():
        for parameter in (p for member in members for p in member.parameters()):
            parameter.add_(0.02 * torch.randn_like(parameter))
    return [member.eval() for member in members]
