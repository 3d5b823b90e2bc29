"""Familiar: the classifier unchanged, and a score that rises with what is unlike."""

import pytest
import torch

from lensmill.networks.edsr import EDSR
from lensmill.quantities import CLEAN, NOISY, SOURCE
from lensmill.stages.classify import Classify
from lensmill.stages.evidence import conditions, light, noise
from lensmill.stages.familiar import PARTS, UNLIKE, Familiar, evidence, features_of
from lensmill.stages.pipeline import Pipeline
from lensmill.stages.usual import Usual
from lensmill.testing import check_stage

UNIT = 3.7
SCATTER = 0.02
RED = torch.tensor([1.0, 1.0, 9.0])[:, None, None]


def _usual(classify, batch, seed):
    """Of the batch's evidence, scattered."""
    with torch.no_grad():
        found = evidence(features_of(classify, batch), batch)
    generator = torch.Generator().manual_seed(seed)
    return {
        name: value.repeat(30, 1) + SCATTER * torch.randn(240, value.shape[1], generator=generator)
        for name, value in found.items()
    }


@pytest.fixture
def familiar(stages, batch):
    classify = stages[2]
    return Familiar(classify, Usual.of(*(_usual(classify, batch, k) for k in (1, 2)))).eval()


def test_it_is_a_stage(familiar, batch):
    check_stage(familiar, batch)


def test_p_lens_is_the_classifiers_own(familiar, batch):
    with torch.no_grad():
        found, expected = familiar.predict(batch), familiar.classify.predict(batch)
    assert torch.equal(found["p_lens"], expected["p_lens"])
    assert found["ood_parts"].shape == (8, len(PARTS))
    assert (found["ood"] < UNLIKE).all()


def test_it_takes_the_classifiers_place(stages, familiar, batch):
    with torch.no_grad():
        found = Pipeline([*stages[:2], familiar, stages[3]]).predict(batch)
        expected = Pipeline(stages).predict(batch)
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    assert {"ood", "ood_parts"} == found.keys() - expected.keys()


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("noise", lambda b: {**b, "noisy": b["clean"] + 3 * (b["noisy"] - b["clean"])}),
        ("conditions", lambda b: {**b, "psf_fwhm": 2 * b["psf_fwhm"]}),
        ("light", lambda b: {**b, **{n: RED * b[n] for n in ("noisy", "clean", "source")}}),
        ("network", lambda b: {**b, **{n: RED * b[n] for n in ("noisy", "clean", "source")}}),
    ],
)
def test_each_part_sees_what_it_is_for(familiar, batch, part, change):
    with torch.no_grad():
        found = familiar.predict(change(batch))
    assert (found["ood_parts"][:, PARTS.index(part)] > UNLIKE).all()
    assert (found["ood"] > UNLIKE).all()


def test_units_do_not_matter(batch):
    images = (NOISY.name, CLEAN.name, SOURCE.name, "sky_sigma")
    other = {**batch, **{name: UNIT * batch[name] for name in images}}
    for numbers in (noise, light, conditions):
        torch.testing.assert_close(numbers(other), numbers(batch), atol=1e-4, rtol=1e-4)


def test_white_noise_is_told_from_correlated(batch):
    white = torch.randn(8, 3, 34, 39, generator=torch.Generator().manual_seed(0))
    white = white * batch["sky_sigma"][..., None, None]
    smooth = 3 * torch.nn.functional.avg_pool2d(white, 3, 1, 1)
    alone = {**batch, "clean": torch.zeros_like(white)}
    one, other = (noise({**alone, "noisy": each}) for each in (white, smooth))
    chi2, neighbours, squares = one[:, :3], one[:, 3:6], one[:, 6:9]
    assert chi2.abs().max() < 0.2
    assert neighbours.abs().max() < 0.1
    assert squares.abs().max() < 0.7
    assert (other[:, 3:6] > 0.5).all()
    assert (other[:, 6:9] > 1).all()


def test_a_network_that_tells_nothing_is_named(batch):
    with pytest.raises(ValueError, match="EDSR"):
        features_of(Classify(lambda i, o: EDSR(i, o, width=4, blocks=1)), batch)


def test_what_has_no_noise_is_a_number(batch):
    assert noise({**batch, "noisy": batch["clean"]}).isfinite().all()
