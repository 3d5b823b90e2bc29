"""Building: parts by name, theirs and ours, with the keywords their constructors take."""

import numpy as np
import pytest
import torch

from lensmill.networks.unet import UNet
from lensmill.physics.surveys import preset
from lensmill.simulation.observing import Observing
from lensmill.training.build import build_simulator, build_stage, make, resolve
from lensmill.training.recipe import Part, SimulationRecipe, StageRecipe


def _recipe(stage, network):
    return StageRecipe(stage=Part(**stage), network=Part(**network))


def test_names_are_resolved():
    assert resolve("UNet", trusted=True) is UNet
    assert resolve("lensmill.networks.unet:UNet", trusted=False) is UNet


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Unet", "no part is called 'Unet'; did you mean 'UNet'"),
        ("zzz", "no part is called 'zzz'; choices: Priors, Collett, Catalogue"),
        ("no_such_module:Network", "cannot import 'no_such_module:Network'"),
        ("lensmill.networks.unet:Vnet", "cannot import 'lensmill.networks.unet:Vnet'"),
    ],
)
def test_unknown_part(name, message):
    with pytest.raises(ValueError, match=message):
        resolve(name, trusted=True)


@pytest.mark.parametrize(
    "name", ["os:system", "subprocess:run", "lensmill.provenance:provenance", "lensmill:demo"]
)
def test_only_our_own_parts_are_imported_without_trust(name):
    with pytest.raises(ValueError, match=f"foreign part '{name}'; pass trust=True"):
        resolve(name, trusted=False)


def test_unknown_keyword_names_the_constructors():
    with pytest.raises(ValueError, match="UNet takes no 'width'; it takes: widths, blocks"):
        make(Part(name="UNet", width=3), 4, 3)


def test_a_keyword_cannot_take_what_the_stage_decides():
    with pytest.raises(ValueError, match="UNet takes no 'in_channels'; it takes: widths, blocks"):
        make(Part(name="UNet", in_channels=3), 4, 3)
    stage = {"name": "Denoise", "network": "UNet"}
    with pytest.raises(ValueError, match="Denoise takes no 'network'; it takes: bands, images"):
        build_stage(_recipe(stage, {"name": "UNet"}))


def test_a_value_that_does_not_fit_is_the_users_mistake():
    with pytest.raises(ValueError, match=r"cannot build UNet with {'widths': 3}"):
        build_stage(_recipe({"name": "Denoise"}, {"name": "UNet", "widths": 3}))


def test_a_network_is_no_stage(own_parts):
    own_parts("class Own:\n    def __init__(self, network):\n        pass\n")
    with pytest.raises(ValueError, match="UNet"):
        build_stage(_recipe({"name": "UNet"}, {"name": "UNet"}))
    with pytest.raises(ValueError, match="'own_parts:Own' is no stage"):
        build_stage(_recipe({"name": "own_parts:Own"}, {"name": "UNet"}))


def test_arrays_become_tuples():
    assert Part(name="Own", sizes=[[3, 4], [5, 6]]).keywords == {"sizes": ((3, 4), (5, 6))}


def test_own_parts(own_parts):
    own_parts(
        "from lensmill.networks.unet import UNet\n"
        "class Own(UNet):\n"
        "    def __init__(self, c, d, **keywords):\n"
        "        super().__init__(c, d, **keywords)\n"
    )
    own = {"name": "own_parts:Own", "widths": [4, 6], "blocks": 1}
    stage = build_stage(_recipe({"name": "Denoise"}, own))
    assert type(stage.network).__name__ == "Own"


def test_simulator_has_the_recipes_conditions():
    recipe = SimulationRecipe(
        shape=((33, 35), (40, 47)), pixel_scale=(0.2, 0.3), psf_fwhm=(0.7, 0.8), band_scatter=0.1
    )
    simulator = build_simulator(recipe)
    assert simulator.grid.shape == (40, 47)
    assert simulator.grid.pixel_scale == 0.2
    assert simulator.observing.psf_fwhm == (0.7, 0.8)
    assert simulator.observing.band_scatter == 0.1


def test_simulator_has_every_observing_key_of_the_recipe():
    recipe = SimulationRecipe(
        depth=(0.1, 1.0), visits=True, moffat=(2.5, 4.5), psf_ellipticity=0.05, bad_pixels=0.002
    )
    assert build_simulator(recipe).observing == Observing(
        preset("lsst_10year"),
        depth=(0.1, 1.0),
        visits=True,
        moffat=(2.5, 4.5),
        psf_ellipticity=0.05,
        bad_pixels=0.002,
    )
    assert build_simulator(SimulationRecipe()).observing == Observing(preset("lsst_10year"))


@pytest.mark.parametrize(("scale", "fwhm"), [(None, 0.8), (0.1, 0.4)])
def test_psf_images_are_read_at_their_scale_or_the_surveys(tmp_path, scale, fwhm):
    y, x = np.indices((25, 27))
    star = np.exp(-4 * np.log(2) * ((y - 12) ** 2 + (x - 13) ** 2) / 4.0**2)
    np.save(tmp_path / "psf.npy", np.stack([star] * 3))
    recipe = SimulationRecipe(psf_images=str(tmp_path / "psf.npy"), psf_image_scale=scale)
    batch = build_simulator(recipe)(1, torch.arange(2))
    torch.testing.assert_close(batch["psf_fwhm"], torch.full((2, 3), fwhm), rtol=0.01, atol=0)
    assert torch.isfinite(batch["noisy"]).all()


def test_missing_psf_images_are_named():
    with pytest.raises(ValueError, match="psf_images: no file or folder nowhere"):
        build_simulator(SimulationRecipe(psf_images="nowhere"))


def test_unknown_survey_is_named():
    with pytest.raises(ValueError, match="lsst_10year"):
        build_simulator(SimulationRecipe(survey="lsst_10yaer"))
