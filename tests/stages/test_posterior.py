"""The mixture against torch.distributions, and against its own samples."""

import math

import pytest
import torch
from torch import distributions

from lensmill.stages.posterior import Mixture, from_raw

BATCH, COMPONENTS = 3, 2


@pytest.fixture
def mixture():
    """Three objects, two components, correlated, in float64."""
    torch.manual_seed(4)
    raw = from_raw(torch.randn(BATCH, 10 * COMPONENTS).double(), COMPONENTS)
    return raw.affine(torch.tensor([0.4, 0.2, 0.1]).double(), torch.tensor(0.3).double())


@pytest.fixture
def reference(mixture):
    return distributions.MixtureSameFamily(
        distributions.Categorical(logits=mixture.log_weight),
        distributions.MultivariateNormal(mixture.mean, scale_tril=mixture.scale_tril),
    )


def test_log_prob(mixture, reference):
    value = torch.randn(BATCH, 3).double()
    torch.testing.assert_close(mixture.log_prob(value), reference.log_prob(value))


def test_each_parameters_own_density(mixture):
    value = torch.randn(BATCH, 3).double()
    step = 1e-4
    slope = (mixture.cdf(value + step) - mixture.cdf(value - step)) / (2 * step)
    torch.testing.assert_close(mixture.marginal_log_prob(value).exp(), slope, rtol=1e-4, atol=1e-9)


def test_density_integrates_to_one(mixture):
    """Mean of density over density, under samples of a mixture twice as wide."""
    wide = Mixture(mixture.log_weight, mixture.mean, 2 * mixture.scale_tril)
    draws = wide.sample(20_000, torch.Generator().manual_seed(5)).flatten(0, 1)
    ratio = (
        _repeated(mixture, 20_000).log_prob(draws) - _repeated(wide, 20_000).log_prob(draws)
    ).exp()
    torch.testing.assert_close(
        ratio.reshape(BATCH, -1).mean(1), torch.ones(BATCH).double(), rtol=0.05, atol=0
    )


def _repeated(mixture, count):
    return Mixture(*(value.repeat_interleave(count, 0) for value in vars(mixture).values()))


def test_expectation(mixture, reference):
    torch.testing.assert_close(mixture.expectation(), reference.mean)


def test_samples_have_the_moments(mixture):
    count = 40_000
    draws = mixture.sample(count, torch.Generator().manual_seed(6))
    assert draws.shape == (BATCH, count, 3)
    variance = _covariance(mixture).diagonal(dim1=-2, dim2=-1)
    error = (draws.mean(1) - mixture.expectation()).abs()
    assert (error < 5 * (variance / count).sqrt()).all()
    for row, covariance in zip(draws, _covariance(mixture), strict=True):
        torch.testing.assert_close(
            row.T.cov(), covariance, rtol=0.05, atol=0.03 * covariance.max().item()
        )


def _covariance(mixture):
    """Of the whole mixture: that of the components and that of their means."""
    weight = mixture.log_weight.exp()[..., None, None]
    offset = (mixture.mean - mixture.expectation()[:, None])[..., None]
    inside = mixture.scale_tril @ mixture.scale_tril.mT
    return (weight * (inside + offset @ offset.mT)).sum(1)


def test_sampling_repeats_with_its_generator(mixture):
    first, second = (mixture.sample(7, torch.Generator().manual_seed(8)) for _ in range(2))
    assert torch.equal(first, second)


def test_cdf_is_the_share_of_samples_below(mixture):
    draws = mixture.sample(40_000, torch.Generator().manual_seed(7))
    value = mixture.expectation() + 0.05
    below = (draws < value[:, None]).double().mean(1)
    torch.testing.assert_close(mixture.cdf(value), below, rtol=0, atol=0.015)


@pytest.mark.parametrize("level", [0.02, 0.16, 0.5, 0.84, 0.999])
def test_quantile_is_the_inverse_of_cdf(mixture, level):
    cdf = mixture.cdf(mixture.quantile(level))
    torch.testing.assert_close(cdf, torch.full((BATCH, 3), level).double(), rtol=1e-6, atol=0)


def test_affine_is_a_change_of_variables(mixture):
    scale, shift = torch.tensor([2.0, 0.5, 3.0]).double(), torch.randn(BATCH, 1, 3).double()
    value = torch.randn(BATCH, 3).double()
    moved = mixture.affine(scale, shift)
    torch.testing.assert_close(
        moved.log_prob(value * scale + shift[:, 0]), mixture.log_prob(value) - scale.log().sum()
    )


def test_raw_numbers_make_a_normalised_mixture():
    mixture = from_raw(torch.zeros(BATCH, 40), 4)
    torch.testing.assert_close(mixture.log_weight.exp(), torch.full((BATCH, 4), 0.25))
    assert torch.equal(mixture.scale_tril, torch.eye(3).expand(BATCH, 4, 3, 3))
    standard = mixture.log_prob(torch.zeros(BATCH, 3))
    torch.testing.assert_close(standard, torch.full((BATCH,), -1.5 * math.log(2 * math.pi)))


@pytest.mark.parametrize("size", [60.0, -60.0])
def test_wild_raw_numbers_stay_finite(size):
    mixture = from_raw(torch.full((BATCH, 20), size), COMPONENTS)
    diagonal = mixture.scale_tril.diagonal(dim1=-2, dim2=-1)
    assert ((diagonal > 0.9e-3) & (diagonal < 1.1e2)).all()
    assert mixture.log_prob(torch.zeros(BATCH, 3)).isfinite().all()


def test_a_batch_carries_it(mixture):
    again = Mixture.of({"noisy": torch.zeros(BATCH), **mixture.batch()})
    assert torch.equal(again.scale_tril, mixture.scale_tril)
    assert torch.equal(again.mean, mixture.mean)
