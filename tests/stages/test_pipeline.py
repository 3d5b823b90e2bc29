"""Pipelines: what a stage reads is what an earlier one wrote, and nothing else."""

import pytest
import torch

from lensmill.quantities import CLEAN, CONDITIONS, NOISY
from lensmill.stages.pipeline import Pipeline

WRITTEN = {"clean", "source", "p_lens", "theta_E", "e1", "e2"}


@pytest.fixture
def pipeline(stages):
    return Pipeline(stages).eval()


def _poisoned(batch, kept):
    return {k: v if k in kept else torch.full_like(v, torch.nan) for k, v in batch.items()}


def test_truth_beside_what_is_given_changes_nothing(pipeline, batch):
    kept = {quantity.name for quantity in pipeline.given}
    alone = pipeline.predict({name: batch[name] for name in kept})
    for beside in (batch, _poisoned(batch, kept)):
        found = pipeline.predict(beside)
        assert found.keys() == alone.keys()
        assert all(torch.equal(found[name], value) for name, value in alone.items())
    assert alone.keys() >= WRITTEN


def test_each_stage_reads_what_the_one_before_wrote(pipeline, batch):
    state = {q.name: batch[q.name] for q in (NOISY, *CONDITIONS)}
    for stage in pipeline.stages:
        state = stage.predict(state)
    assert torch.equal(state["theta_E"], pipeline.predict(batch)["theta_E"])


def test_it_can_start_from_the_truth(stages, batch):
    """The paper's Deblended-Sim-ML: the deblender from the noiseless simulation."""
    given = Pipeline(stages[1:2], given=[CLEAN, NOISY]).predict(batch)
    assert torch.equal(given["clean"], batch["clean"])
    assert not torch.equal(given["source"], Pipeline(stages[:2]).predict(batch)["source"])


def test_what_is_given_must_be_there(pipeline, batch):
    with pytest.raises(ValueError, match="given \\['noisy', 'psf_fwhm'\\], not in the batch"):
        pipeline.predict({k: v for k, v in batch.items() if k not in ("noisy", "psf_fwhm")})


def test_wrong_order_is_refused(stages):
    with pytest.raises(ValueError, match="Deblend reads \\['clean'\\]; before it there is"):
        Pipeline([stages[1], stages[0]])


def test_a_stage_must_read_what_is_known(stages):
    with pytest.raises(ValueError, match="Classify reads \\['source'\\]"):
        Pipeline([stages[0], stages[2]])


def test_bands_must_agree(stages):
    stages[1].bands = ("r", "i")
    with pytest.raises(ValueError, match="Deblend works on \\('r', 'i'\\), the first on"):
        Pipeline(stages)


def test_bands_are_those_of_its_stages(pipeline):
    assert pipeline.bands == ("g", "r", "i")
    assert Pipeline([]).bands == ()


def test_losses_teach_every_stage(pipeline, batch):
    losses = pipeline.losses(batch)
    assert [loss.shape for loss in losses] == [(8,)] * 4
    assert all(loss.isfinite().all() for loss in losses)
    sum(loss.mean() for loss in losses).backward()
    for name, parameter in pipeline.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_two_stages_of_a_kind_have_a_loss_each(stages, batch):
    twice = Pipeline([*stages, stages[2]])
    assert len(twice.losses(batch)) == 5


def test_the_last_loss_teaches_the_first_stage(pipeline, batch):
    """End to end: gradients run through decoded quantities."""
    pipeline.losses(batch)[-1].mean().backward()
    assert any(parameter.grad.any() for parameter in pipeline.stages[0].parameters())


def test_examples_that_a_stage_does_not_select_cost_nothing(pipeline, batch):
    loss = pipeline.losses(batch)[-1]
    assert torch.equal(loss != 0, batch["is_lens"] > 0.5)


def test_losses_start_from_what_is_given(pipeline, batch):
    """The images in between are predicted; the truth is only compared with."""
    off = {**batch, "source": batch["source"] + 5 * batch["sky_sigma"][..., None, None]}
    expected, found = pipeline.losses(batch), pipeline.losses(off)
    assert torch.equal(found[2], expected[2])
    assert not torch.equal(found[1], expected[1])
