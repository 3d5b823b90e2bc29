"""The four stages: the contract, what they mean, and that they learn."""

from functools import partial
from statistics import median

import pytest
import torch

from lensmill.networks.trunk import Trunk
from lensmill.networks.unet import UNet
from lensmill.physics.passband import pass_band
from lensmill.quantities import by_name
from lensmill.stages.classify import Classify
from lensmill.stages.deblend import Deblend
from lensmill.stages.denoise import Denoise
from lensmill.stages.posterior import Mixture
from lensmill.stages.regress import Regress, true_parameters
from lensmill.stages.scaling import in_sigmas
from lensmill.testing import check_stage

IMAGE = partial(UNet, widths=(8, 12), blocks=1)
VECTOR = partial(Trunk, widths=(8, 12), blocks=1, hidden=16)


def test_contract(stage, batch):
    check_stage(stage, batch)


def test_the_batch_tells_lenses_from_others(batch):
    assert 2 <= batch["is_lens"].sum() <= 6
    assert batch["sky_sigma"].std() > 0


def test_stage_learns_eight_images_by_heart(stage, batch):
    optimizer = torch.optim.Adam(stage.parameters(), lr=5e-3)
    chosen = stage.select(batch)
    few = {name: value[chosen] for name, value in batch.items()}
    losses = [_step(stage, optimizer, few) for _ in range(60)]
    assert median(losses[-10:]) < losses[0] - 0.2, losses[::6]


def _step(stage, optimizer, batch):
    loss = stage.loss(stage(batch), batch).mean()
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(stage.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def test_untrained_denoise_returns_its_input(batch):
    clean = Denoise(IMAGE).predict(batch)["clean"]
    torch.testing.assert_close(clean, batch["noisy"])


def test_untrained_deblend_returns_nothing(batch):
    assert not Deblend(IMAGE).predict(batch)["source"].any()


@pytest.mark.parametrize("stage", ["denoise", "deblend"], indirect=True)
def test_restored_images_are_scored_in_sky_sigmas(stage, batch):
    name = stage.target.name
    off = {name: batch[name] + 3 * batch["sky_sigma"][..., None, None]}
    (score,) = stage.metrics(off, batch).values()
    torch.testing.assert_close(score, torch.full((8,), 3.0), rtol=1e-3, atol=0)


def test_restore_counts_every_image_by_its_decibels(batch):
    stage = Denoise(IMAGE)
    truth = batch["clean"] / batch["sky_sigma"][..., None, None]
    near, far = (stage.loss(truth + error, batch) for error in (1.0, 10.0))
    torch.testing.assert_close(far - near, torch.full((8,), 2 * 2.302585), rtol=1e-3, atol=0)


def test_classify_is_confident_only_at_its_temperature(batch):
    stage = Classify(VECTOR).eval()
    output = torch.linspace(-4, 4, 8)
    sure = stage.decode(output, batch)["p_lens"]
    stage.temperature.fill_(2.0)
    torch.testing.assert_close(
        torch.logit(stage.decode(output, batch)["p_lens"]), torch.logit(sure) / 2
    )
    assert "temperature" in stage.state_dict()


def test_classify_learns_from_lenses_that_can_be_seen(batch):
    seen = {**batch, "is_lens": torch.arange(8) % 2, "source_snr": 5.0 * torch.arange(8)}
    stage = Classify(VECTOR, least_snr=20.0)
    assert {quantity.name for quantity in stage.learns} == {"is_lens", "source_snr"}
    assert stage.select(seen).tolist() == [True, False, True, False, True, True, True, True]
    assert Classify(VECTOR).select(batch).all()


def test_classify_accuracy(batch):
    right = batch["is_lens"].clone()
    right[:3] = 1 - right[:3]
    accuracy = Classify(VECTOR).metrics({"p_lens": right}, batch)["accuracy"]
    assert accuracy.tolist() == [0, 0, 0, 1, 1, 1, 1, 1]


def test_regress_trains_on_lenses_alone(batch):
    chosen = Regress(VECTOR).select(batch)
    assert torch.equal(chosen, batch["is_lens"] > 0.5)


def test_deblend_learns_nothing_from_empty_images(batch):
    empty = torch.arange(8) % 2 == 0
    source = torch.where(empty[:, None, None, None], 0.0, batch["source"])
    assert torch.equal(Deblend(IMAGE).select({**batch, "source": source}), ~empty)


def test_other_stages_train_on_everything_even_without_labels(batch):
    unlabelled = {k: v for k, v in batch.items() if k != "is_lens"}
    assert Denoise(IMAGE).select(unlabelled).tolist() == [True] * 8


def test_einstein_radius_is_in_arcsec(batch, stages):
    """A sky seen in pixels twice as large is twice as large; the ellipticities stay."""
    regress = stages[-1]
    coarse = {
        **batch,
        "pixel_scale": 2 * batch["pixel_scale"],
        "psf_fwhm": 2 * batch["psf_fwhm"],
    }
    fine, large = regress.predict(batch), regress.predict(coarse)
    torch.testing.assert_close(large["theta_E"], 2 * fine["theta_E"], rtol=1e-4, atol=0)
    for name in ("e1", "e2", "posterior_scale_tril"):
        torch.testing.assert_close(large[name], fine[name])


def test_loss_of_regress_is_the_density_that_it_writes(batch, stages):
    regress = stages[-1]
    density = Mixture.of(regress.predict(batch)).log_prob(true_parameters(batch))
    torch.testing.assert_close(regress.loss(regress(batch), batch), -density)


def test_a_share_of_the_loss_of_regress_is_theta_es_own(batch):
    stage = Regress(VECTOR, theta_E_share=0.25)
    output, value = stage(batch), true_parameters(batch)
    posterior = stage.posterior(output, batch)
    joint, own = -posterior.log_prob(value), -posterior.marginal_log_prob(value)[:, 0]
    torch.testing.assert_close(stage.loss(output, batch), 0.75 * joint + 0.25 * own)


def test_regress_and_classify_see_the_middle_alone(batch):
    frame = torch.ones_like(batch["noisy"])
    frame[..., 5:-5, 5:-5] = 0  # of 34: the middle 22, and the neighbours of their pixels
    changed = {**batch, "noisy": batch["noisy"] + 9 * frame, "source": batch["source"] + 9 * frame}
    for make in (Regress, Classify):
        torch.manual_seed(1)
        stage = make(VECTOR, side=22)
        assert torch.equal(stage(batch), stage(changed))


def test_perfect_regression_has_no_error(batch, stages):
    regress = stages[-1]
    few = {name: value[batch["is_lens"] > 0.5] for name, value in batch.items()}
    perfect = {**regress.predict(few), **{k: few[k] for k in ("theta_E", "e1", "e2")}}
    scores = regress.metrics(perfect, few)
    assert not scores["theta_E_relative_error"].any()
    assert not scores["ellipticity_error"].any()


def test_true_parameters_are_finite_without_a_lens():
    truth = {name: torch.tensor([1.5, 0.0]) for name in ("theta_E", "e1", "e2")}
    expected = torch.tensor([[1.5, 0.0], [1e-3, 0.0]])
    torch.testing.assert_close(true_parameters(truth)[:, 0].exp(), expected[:, 0])


def test_any_images_can_be_read(batch):
    baseline = Deblend(IMAGE, images=("noisy",))
    assert baseline.reads[0] == by_name("noisy")
    few = {k: v for k, v in batch.items() if k not in ("clean", "source")}
    assert baseline.predict(few)["source"].shape == batch["noisy"].shape


def test_an_unknown_image_is_refused():
    with pytest.raises(ValueError, match="no quantity is called 'noisey'; choices: noisy"):
        Denoise(IMAGE, images=("noisey",))


def test_any_number_of_bands(batch):
    one = {k: v[:, :1] if v.ndim > 1 else v for k, v in batch.items()}
    check_stage(Classify(VECTOR, bands=("i",), images=("noisy",)), one)
    assert Classify(Trunk, bands=("i",), images=("noisy",)).reads[0] == by_name("noisy")


def test_a_stretched_loss_weighs_light_far_below_the_noise(batch):
    """The same error counts more on the sky than on the galaxy's core; unstretched, the same."""
    expected = in_sigmas(batch, "clean")
    core = torch.zeros_like(expected)
    core[..., 14:20, 16:22] = 0.5
    sky = core.roll(14, -2)
    stretched, flat = Denoise(IMAGE, stretched=1.0), Denoise(IMAGE)
    on_core, on_sky = (stretched.loss(expected + where, batch) for where in (core, sky))
    assert (on_core < on_sky).all()
    torch.testing.assert_close(*(flat.loss(expected + where, batch) for where in (core, sky)))


def test_an_untrained_band_limited_stage_returns_the_pass_band(batch):
    pixels = batch["psf_fwhm"] / batch["pixel_scale"][:, None]
    expected = pass_band(batch["noisy"], pixels)
    restored = Denoise(IMAGE, band_limited=True).predict(batch)["clean"]
    largest = expected.abs().max().item()
    torch.testing.assert_close(restored, expected, rtol=0, atol=1e-6 * largest)
    assert (restored - batch["noisy"]).abs().max() > batch["sky_sigma"].min()
