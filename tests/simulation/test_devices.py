"""Devices: nothing between scenes and images stays on, or waits for, another device.

torch's device "meta" has shapes but no values: asking for one is an error, as is an operation on
tensors of two devices. What shines decides how many rows are rendered, which must be waited for:
there meta takes everything to shine.
"""

import pytest
import torch

from lensmill.grid import Grid
from lensmill.physics import epl
from lensmill.physics.kernels import PsfImage
from lensmill.physics.surveys import preset
from lensmill.simulation.observing import Observing
from lensmill.simulation.population.priors import Priors
from lensmill.simulation.rendering import Sampling, _summed_apart, _summed_together, render
from lensmill.simulation.scene import Conditions, on_device

META = torch.device("meta")
COUNT = 5
GRID = Grid((34, 39), 0.2)
POPULATIONS = {
    "plain": Priors(),
    "impostors": Priors(impostors={"spiral": 0.6, "merger": 0.4}, clumps=2),
    "bulges": Priors(lens_light="cosmodc2", source_light="cosmodc2"),
    "power law": Priors(slope_scatter=0.1, shear_scatter=0.05),
}


@pytest.fixture(autouse=True)
def everything_shines():
    from torch.fx.experimental import _config

    with _config.patch(meta_nonzero_assume_all_nonzero=True):
        yield


def _conditions(kind):
    options = {"moffat": (2.5, 4.5)} if kind == "moffat" else {}
    drawn = Observing(preset("lsst_10year"), **options).draw(3, torch.arange(COUNT), 0.2)
    if kind != "image":
        return drawn
    image = PsfImage(torch.rand(COUNT, 3, 11, 11), torch.full((COUNT, 3), 0.2))
    return Conditions(drawn.psf_fwhm, drawn.zero_point, drawn.sky_sigma, image)


@pytest.mark.parametrize("psf", ["gaussian", "moffat", "image"])
@pytest.mark.parametrize("population", POPULATIONS)
def test_rendering_stays_on_the_device_of_the_scene(population, psf, monkeypatch):
    monkeypatch.setattr(epl, "_terms", lambda flattening: 20)  # the one number waited for
    scene = on_device(POPULATIONS[population].draw(3, torch.arange(COUNT)), META)
    images = render(scene, on_device(_conditions(psf), META), GRID, Sampling())
    assert all(image.device == META for image in images)
    assert all(image.shape == (COUNT, 3, *GRID.shape) for image in images)


def test_both_ways_of_adding_light_agree():
    """The CPU's and the GPU's; scenes of no row, too."""
    scene = torch.tensor([0, 0, 0, 2, 3, 3, 5])
    values, flux = torch.rand(7, 30, dtype=torch.float64), torch.rand(7, 3, dtype=torch.float64)
    apart, together = (add(values, flux, scene, 7) for add in (_summed_apart, _summed_together))
    assert together.shape == (7, 3, 30)
    torch.testing.assert_close(together, apart)
    expected = torch.zeros(7, 3, 30, dtype=torch.float64)
    expected.index_add_(0, scene, flux[..., None] * values[:, None])
    torch.testing.assert_close(together, expected)
