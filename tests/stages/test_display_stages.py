"""The paper's stages: the contract, what they mean, that they learn; where pictures come from."""

from functools import partial
from statistics import median

import pytest
import torch

from lensmill.networks.edsr import EDSR
from lensmill.networks.resnet import ResNet50
from lensmill.networks.trunk import Trunk
from lensmill.physics.display import display_psnr
from lensmill.quantities import CLEAN_DISPLAY, DISPLAYS, NOISY_DISPLAY
from lensmill.stages.display import with_displays
from lensmill.stages.display_classify import DisplayClassify
from lensmill.stages.display_regress import DisplayRegress
from lensmill.stages.display_restore import DisplayRestore
from lensmill.stages.pipeline import Pipeline, observed
from lensmill.testing import check_stage

IMAGE = partial(EDSR, width=8, blocks=2)
VECTOR = partial(Trunk, widths=(8, 12), blocks=1, hidden=16)
MAKERS = {
    "denoise": partial(DisplayRestore, IMAGE),
    "deblend": partial(DisplayRestore, IMAGE, image="clean_display", target="source_display"),
    "classify": partial(DisplayClassify, VECTOR),
    "regress": partial(DisplayRegress, VECTOR),
    "classify_noisy": partial(DisplayClassify, VECTOR, image="noisy_display"),
}


@pytest.fixture
def shown(batch):
    return with_displays(batch)


@pytest.fixture(params=MAKERS)
def stage(request):
    torch.manual_seed(1)
    return MAKERS[request.param]()


def test_contract(stage, shown):
    check_stage(stage, shown)


def test_resnet_keeps_the_contract(shown):
    torch.manual_seed(1)
    check_stage(DisplayRegress(partial(ResNet50, width=4)), shown)


def test_stage_learns_eight_pictures_by_heart(stage, shown):
    optimizer = torch.optim.Adam(stage.parameters(), lr=5e-3)
    few = {name: value[stage.select(shown)] for name, value in shown.items()}
    losses = []
    for _ in range(40):
        loss = stage.loss(stage(few), few).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert median(losses[-10:]) < 0.8 * losses[0], losses[::6]


def test_a_whole_chain_of_pictures(shown):
    torch.manual_seed(2)
    stages = [MAKERS[name]().eval() for name in ("denoise", "deblend", "classify", "regress")]
    assert observed(stages) == (NOISY_DISPLAY,)
    chain = Pipeline(stages, given=observed(stages))
    given = {name: shown[name] for name in (q.name for q in chain.given)}
    predicted = chain.predict(given)
    for name in ("clean_display", "source_display"):
        assert 0 <= predicted[name].min() <= predicted[name].max() <= 255
    assert {"p_lens", "theta_E", "e1", "e2"} <= predicted.keys()


def test_pictures_are_those_of_the_papers_psnr(batch, shown):
    from lensmill.physics.display import calibrated, picture_psnr

    noisy, clean = (calibrated(batch[name], batch["zero_point"]) for name in ("noisy", "clean"))
    expected = display_psnr(noisy, clean, noisy)
    found = picture_psnr(shown["noisy_display"], shown["clean_display"])
    assert torch.equal(found, expected)


def test_only_what_lacks_is_made(batch, shown):
    own = {**batch, "clean_display": torch.zeros_like(batch["clean"])}
    found = with_displays(own, (CLEAN_DISPLAY, NOISY_DISPLAY))
    assert not found["clean_display"].any()
    assert "source_display" not in found
    assert with_displays(shown) is shown
    assert {quantity.name for quantity in DISPLAYS} <= shown.keys()


def test_there_is_no_picture_of_one_band(batch):
    one = {k: v[:, :1] if v.ndim > 1 else v for k, v in batch.items()}
    assert with_displays(one) is one
    with pytest.raises(ValueError, match=r"a picture is made of 3, not of \('i',\)"):
        DisplayClassify(VECTOR, bands=("i",))


def test_regress_scales_its_targets_and_back(shown):
    stage = DisplayRegress(VECTOR, low=(0.2, 0.1, 0.0), high=(5.0, 1.0, 3.1415))
    lenses = {name: value[stage.select(shown)] for name, value in shown.items()}
    again = stage.decode(stage.scaled(lenses), lenses)
    for name in ("theta_E", "e1", "e2"):
        torch.testing.assert_close(again[name], lenses[name], rtol=1e-4, atol=1e-5)
    assert not stage.metrics(lenses, lenses)["mae"].any()


def test_beyond_its_ranges_regress_takes_the_edge(shown):
    stage = DisplayRegress(VECTOR, low=(0.5, 0.2, 0.0), high=(2.5, 1.0, 3.1415))
    output = torch.tensor([[-1.0, -1.0, -0.2], [2.0, 2.0, 1.3]])
    found = stage.scaled(stage.decode(output, shown))
    torch.testing.assert_close(found[0], torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(found[1, :2], torch.ones(2), atol=1e-5, rtol=0)
    half = stage.scaled(stage.decode(torch.tensor([[0.5, 0.5, 1.3]]), shown))
    torch.testing.assert_close(half, torch.tensor([[0.5, 0.5, 1.0]]), atol=1e-4, rtol=0)
