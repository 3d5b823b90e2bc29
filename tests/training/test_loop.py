"""The loop: whose state it goes on from, where it stops, and on which device it runs."""

import pytest

from lensmill.stages.denoise import Denoise
from lensmill.training.train import train


def test_state_of_another_training_is_refused(tiny, tmp_path):
    """Else a finished one would take no step, and its card claim the new settings."""
    train(tiny(steps=1), "denoise", tmp_path, device="cpu")
    train(tiny(steps=2), "denoise", tmp_path, device="cpu")
    other = tiny(steps=2, learning_rate=1e-3)
    with pytest.raises(ValueError, match=r"with another denoise.training.learning_rate: --no-res"):
        train(other, "denoise", tmp_path, device="cpu")
    simulation = other.simulation.model_copy(update={"seed": 8})
    with pytest.raises(ValueError, match=r"another simulation.seed, denoise.training.learning"):
        train(other.model_copy(update={"simulation": simulation}), "denoise", tmp_path)


def test_a_training_that_diverges_says_so(tiny, tmp_path, monkeypatch):
    loss = Denoise.loss
    monkeypatch.setattr(Denoise, "loss", lambda *args: loss(*args) * float("nan"))
    with pytest.raises(ValueError, match="denoise diverged: its gradient is not finite at step 0"):
        train(tiny(steps=2), "denoise", tmp_path, device="cpu")


@pytest.mark.parametrize(("device", "devices"), [("cuda:1", [1]), ("cuda", 1), ("cpu", 1)])
def test_a_gpu_can_be_chosen(tiny, tmp_path, monkeypatch, device, devices):
    def fabric(**given):
        raise LookupError(given["accelerator"], given["devices"])

    monkeypatch.setattr("lightning.Fabric", fabric)
    with pytest.raises(LookupError) as asked:
        train(tiny(steps=1), "denoise", tmp_path, device=device)
    assert asked.value.args == (device.partition(":")[0], devices)
