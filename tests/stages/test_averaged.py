"""Averaged: turn the sky, and every answer turns with it."""

import copy

import pytest
import torch

from lensmill.quantities import CLEAN, NOISY
from lensmill.stages.averaged import Averaged, average
from lensmill.stages.pipeline import Pipeline
from lensmill.stages.posterior import Mixture
from lensmill.stages.symmetry import ELEMENTS, inverse, turned

NUMBERS = ("clean", "source", "p_lens", "theta_E", "e1", "e2")


@pytest.fixture
def averaged(stages):
    return Averaged(stages).eval()


def _far(found, expected):
    """Largest difference between answers, of each name, over the largest answer."""
    return {
        name: float((found[name] - expected[name]).abs().max() / expected[name].abs().max())
        for name in NUMBERS
    }


@pytest.mark.parametrize("element", ELEMENTS[1:])
def test_answers_turn_with_the_sky(averaged, batch, element):
    with torch.no_grad():
        found = averaged.predict(turned(batch, element))
        expected = turned(averaged.predict(batch), element)
    assert max(_far(found, expected).values()) < 1e-4
    value = torch.stack([expected["theta_E"].log(), expected["e1"], expected["e2"]], 1) + 0.03
    torch.testing.assert_close(
        Mixture.of(found).log_prob(value), Mixture.of(expected).log_prob(value), atol=1e-3, rtol=0
    )


def test_a_plain_pipelines_answers_do_not(stages, batch):
    plain = Pipeline(stages).eval()
    with torch.no_grad():
        found, expected = plain.predict(turned(batch, 1)), turned(plain.predict(batch), 1)
    assert _far(found, expected)["e1"] > 1e-3


def test_it_is_the_mean_over_all_ways_up(stages, batch):
    with torch.no_grad():
        found = Averaged(stages).predict(batch)
        views = [turned(Pipeline(stages).predict(turned(batch, k)), inverse(k)) for k in ELEMENTS]
    clean = torch.stack([view["clean"] for view in views])
    torch.testing.assert_close(found["clean"], clean.mean(0))
    odds = torch.stack([torch.logit(view["p_lens"]) for view in views])
    torch.testing.assert_close(found["p_lens"], torch.sigmoid(odds.mean(0)))
    value = torch.stack([found["theta_E"].log(), found["e1"], found["e2"]], 1)
    densities = torch.stack([Mixture.of(view).log_prob(value).exp() for view in views])
    torch.testing.assert_close(Mixture.of(found).log_prob(value).exp(), densities.mean(0))
    torch.testing.assert_close(Mixture.of(found).cdf(value)[:, 0], torch.full((8,), 0.5))


def test_what_is_given_stays_as_it_is(stages, batch):
    pipeline = Averaged(stages[1:2], given=[CLEAN, NOISY])
    with torch.no_grad():
        found = pipeline.predict(batch)
    assert torch.equal(found["clean"], batch["clean"])
    assert "posterior_mean" not in found


def test_what_is_missing_is_named(averaged, batch):
    with pytest.raises(ValueError, match="noisy"):
        averaged.predict({k: v for k, v in batch.items() if k != "noisy"})


def test_the_average_of_one_is_itself(stages, batch):
    with torch.no_grad():
        view = Pipeline(stages).predict(batch)
        found = average([view])
    torch.testing.assert_close(found, dict(view), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("element", ELEMENTS)
def test_inverses_undo(element, stages, batch):
    with torch.no_grad():
        predicted = copy.deepcopy(stages[3]).predict(batch)
    back = turned(turned(predicted, element), inverse(element))
    assert all(torch.equal(back[name], value) for name, value in predicted.items())


@pytest.mark.parametrize("element", ELEMENTS)
def test_covariances_turn_as_ellipticities_do(element, stages, batch):
    with torch.no_grad():
        predicted = stages[3].predict(batch)
    found, expected = (Mixture.of(each) for each in (turned(predicted, element), predicted))
    signs = turned({"e1": torch.ones(1), "e2": torch.ones(1)}, element)
    sign = torch.tensor([1.0, float(signs["e1"]), float(signs["e2"])])
    covariance = expected.scale_tril @ expected.scale_tril.mT
    torch.testing.assert_close(
        found.scale_tril @ found.scale_tril.mT, sign[:, None] * covariance * sign
    )
    assert (found.scale_tril.diagonal(dim1=-2, dim2=-1) > 0).all()
