"""Each promise of the contract is seen to be broken."""

import pytest
import torch
from torch import nn

from lensmill.quantities import CLEAN, CONDITIONS, IS_LENS, NOISY, P_LENS, SKY_SIGMA, Quantity
from lensmill.stages.base import Stage
from lensmill.testing import check_stage


class Good(Stage):
    """The smallest stage that keeps the contract: is the image bright?"""

    bands = ("g", "r", "i")
    reads = (NOISY, *CONDITIONS)
    writes = (P_LENS,)
    learns = (IS_LENS,)

    def __init__(self):
        super().__init__()
        self.network = nn.Linear(3, 1)

    def forward(self, batch):
        return self.network(self.images(batch).mean((2, 3))).squeeze(1)

    def images(self, batch):
        return torch.asinh(batch["noisy"] / batch["sky_sigma"][..., None, None])

    def decode(self, output, batch):
        return {"p_lens": torch.sigmoid(output)}

    def loss(self, output, truth):
        return (torch.sigmoid(output) - truth["is_lens"]).square()

    def metrics(self, predicted, truth):
        return {"error": predicted["p_lens"] - truth["is_lens"]}


class ReadsInSecret(Good):
    def images(self, batch):
        return super().images({**batch, "noisy": batch["clean"]})


class Peeks(Good):
    def images(self, batch):
        return super().images({**batch, "noisy": batch.get("clean", batch["noisy"])})


class LearnsInSecret(Good):
    def loss(self, output, truth):
        return super().loss(output, truth) + truth["theta_E"]


class WritesInSecret(Good):
    def decode(self, output, batch):
        return {**super().decode(output, batch), "clean": batch["noisy"]}


class WritesNothing(Good):
    def decode(self, output, batch):
        return {}


class Overwrites(Good):
    def decode(self, output, batch):
        batch["noisy"].mul_(2)
        return super().decode(output, batch)


class ExtraAxis(Good):
    def decode(self, output, batch):
        return {"p_lens": torch.sigmoid(output)[:, None]}


class HalfABatch(Good):
    def decode(self, output, batch):
        return {"p_lens": torch.sigmoid(output)[::2]}


class Double(Good):
    def decode(self, output, batch):
        return {"p_lens": torch.sigmoid(output.double())}


class NotFinite(Good):
    def decode(self, output, batch):
        return {"p_lens": output.log()}


class TakesAnything(Good):
    def predict(self, batch):
        return {**batch, **self.decode(self({"sky_sigma": torch.ones(4, 3), **batch}), batch)}


class Unfriendly(Good):
    def predict(self, batch):
        return {**batch, **self.decode(self(batch), batch)}


class Vague(Good):
    def predict(self, batch):
        if any(quantity.name not in batch for quantity in self.reads):
            raise ValueError("something is missing")
        return super().predict(batch)


class Random(Good):
    def images(self, batch):
        return super().images(batch) + torch.randn(())


class InElectrons(Good):
    def images(self, batch):
        return torch.asinh(batch["noisy"])


class LossInElectrons(Good):
    def loss(self, output, truth):
        return super().loss(output, truth) * truth["sky_sigma"].mean(1)


class Mixing(Good):
    def images(self, batch):
        return super().images(batch) - super().images(batch).mean(0)


class MixingLoss(Good):
    def loss(self, output, truth):
        return super().loss(output, truth) / super().loss(output, truth).sum()


class OneLoss(Good):
    def loss(self, output, truth):
        return super().loss(output[:1], truth)[:1]


class NaNLoss(Good):
    def loss(self, output, truth):
        return super().loss(output, truth) / (truth["is_lens"] - truth["is_lens"])


class Frozen(Good):
    def forward(self, batch):
        return super().forward(batch).detach() + 0 * self.network.bias.sum()


class SelectsByWeight(Good):
    def select(self, truth):
        return truth["is_lens"]


class OneMetric(Good):
    def metrics(self, predicted, truth):
        return {"error": super().metrics(predicted, truth)["error"].mean()}


class CountingMetric(Good):
    def metrics(self, predicted, truth):
        return {"right": predicted["p_lens"].round() == truth["is_lens"]}


class NaNMetric(Good):
    def metrics(self, predicted, truth):
        return {"error": predicted["p_lens"].log() * torch.inf * 0}


class LooseTensor(Good):
    def __init__(self):
        super().__init__()
        self.scale = torch.tensor(2.0)


class Forgets(Good):
    def state_dict(self, *args, **kwargs):
        return {k: torch.zeros_like(v) for k, v in super().state_dict(*args, **kwargs).items()}


BROKEN = {
    ReadsInSecret: "reads 'clean', which `reads` does not declare",
    Peeks: "depends on quantities that `reads` does not declare",
    LearnsInSecret: "learns from 'theta_E'",
    WritesInSecret: "writes \\['clean', 'p_lens'\\]",
    WritesNothing: "writes \\[\\]",
    Overwrites: "changes 'noisy'",
    ExtraAxis: "has the shape \\(8, 1\\)",
    HalfABatch: "has the shape \\(4,\\)",
    Double: "float64",
    NotFinite: "'p_lens' is not finite",
    TakesAnything: "not a ValueError|predicts without",
    Unfriendly: "without 'noisy' there is KeyError",
    Vague: "does not name it",
    Random: "different 'p_lens' for one batch",
    InElectrons: "'p_lens' depends on the unit",
    LossInElectrons: "the loss depends on the unit",
    Mixing: "'p_lens' depends on the others",
    MixingLoss: "loss depends on the others",
    OneLoss: "the loss has the shape \\(1,\\)",
    NaNLoss: "the loss is not finite",
    Frozen: "never learns network",
    SelectsByWeight: "not one bool per example",
    OneMetric: "not one per example",
    CountingMetric: "torch.bool, not a float",
    NaNMetric: "not finite on examples",
    LooseTensor: "\\['scale'\\] of the stage",
    Forgets: "round trip",
}


def test_good_member_passes(batch):
    check_stage(Good(), batch)


@pytest.mark.parametrize("member", BROKEN)
def test_broken_member_fails(member, batch):
    torch.manual_seed(3)
    with pytest.raises(AssertionError, match=BROKEN[member]):
        check_stage(member(), batch)


def test_image_written_must_be_in_the_unit_of_the_images(batch):
    class InSigmas(Good):
        writes = (CLEAN,)

        def decode(self, output, batch):
            return {"clean": self.images(batch) * output[:, None, None, None]}

    with pytest.raises(AssertionError, match="'clean' depends on the unit"):
        check_stage(InSigmas(), batch)


def test_own_quantities_are_welcome(batch):
    redshift = Quantity("redshift", ("batch",), "", "a quantity of a fifth stage")

    class Own(Good):
        writes = (redshift,)

        def decode(self, output, batch):
            return {"redshift": output.exp()}

        def metrics(self, predicted, truth):
            return {}

    check_stage(Own(), batch)


def test_conditions_are_named_too(batch):
    with pytest.raises(ValueError, match=SKY_SIGMA.name):
        Good().predict({k: v for k, v in batch.items() if k != "sky_sigma"})


def test_small_batches_prove_nothing(batch):
    with pytest.raises(AssertionError, match="three examples or more"):
        check_stage(Good(), {name: value[:2] for name, value in batch.items()})


def test_the_stage_itself_is_left_alone(batch):
    stage = Good().train()
    before = {name: value.clone() for name, value in stage.state_dict().items()}
    check_stage(stage, batch)
    assert stage.training
    assert all(torch.equal(stage.state_dict()[name], value) for name, value in before.items())
    assert all(parameter.grad is None for parameter in stage.parameters())
