"""The shipped weights of the paper's data do what their card says, as far as 32 systems tell."""

import pytest
import torch

from lensmill.evaluation.claims import pictures
from lensmill.evaluation.modules import Modules
from lensmill.physics.display import picture_psnr
from lensmill.stages.display import with_displays
from lensmill.training.loader import Loader
from lensmill.training.recipe import shipped_recipe
from lensmill.weights import COMPACT, FOLDER


@pytest.fixture(scope="module")
def seen():
    """(truth, what the compact weights predict of it)."""
    truth = with_displays(Loader.of(shipped_recipe("compact").simulation, 32, "test")(0))
    return truth, Modules.load(COMPACT).predict(truth)


def _psnr(seen, name, expected):
    picture = pictures(*seen)
    return picture_psnr(picture[name], picture[expected]).clamp(max=100).mean()


def test_compact_weights_denoise_and_deblend(seen):
    assert _psnr(seen, "denoised", "clean") > _psnr(seen, "noisy", "clean") + 20
    assert _psnr(seen, "deblended_chained", "source") > 29
    assert _psnr(seen, "deblended_from_truth", "source") > 36


def test_compact_weights_find_and_model(seen):
    truth, predicted = seen
    lens = truth["is_lens"] > 0.5
    chained = predicted["chained"]
    assert ((chained["p_lens"] > 0.5) == lens).float().mean() > 0.9
    error = torch.log(chained["theta_E"] / truth["theta_E"])[lens].abs()
    assert error.median() < 0.15


def test_all_shipped_weights_are_small():
    assert sum(path.stat().st_size for path in FOLDER.rglob("*.safetensors")) <= 10e6
