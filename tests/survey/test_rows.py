"""Rows: what a catalogue says of what the stages wrote."""

import math

import pytest
import torch

from lensmill.survey.rows import doubts, is_finite, mass_columns


@pytest.mark.parametrize(
    ("values", "flags"),
    [
        ({"p_lens": 0.3}, []),
        ({"p_lens": 0.3, "ood": 0.99}, []),
        ({"p_lens": 0.3, "ood": 0.995}, ["unlike_training"]),
    ],
)
def test_what_a_result_is_doubted_for(values, flags):
    assert doubts(values) == flags


def test_numbers_are_finite_and_words_are_no_numbers():
    assert is_finite({"p_lens": 0.3, "flags": "not_modelled"})
    assert not is_finite({"p_lens": math.nan, "theta_E": 1.0})
    assert not is_finite({"theta_E": math.inf})


def posterior(count=3):
    generator = torch.Generator().manual_seed(1)
    mean = 0.2 * torch.randn(count, 2, 3, generator=generator)
    return {
        "posterior_log_weight": torch.full((count, 2), 0.5).log(),
        "posterior_mean": mean,
        "posterior_scale_tril": 0.1 * torch.eye(3).expand(count, 2, 3, 3).clone(),
        "theta_E": torch.ones(count),
        "e1": mean[:, 0, 1],
        "e2": mean[:, 0, 2],
    }


@pytest.mark.parametrize("part", ["log_weight", "mean", "scale_tril"])
def test_a_posterior_that_is_not_finite_is_one_objects_own(part):
    """Its numbers are NaN; its neighbours' are what they were."""
    batch, expected = posterior(), mass_columns(posterior())
    batch[f"posterior_{part}"][1] = torch.nan
    found = mass_columns(batch)
    for name in ("theta_E_16", "theta_E_84", "e1_error", "q", "position_angle_deg"):
        assert found[name][1].isnan(), name
        torch.testing.assert_close(found[name][[0, 2]], expected[name][[0, 2]])
