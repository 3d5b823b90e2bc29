"""Muon: orthogonal steps of Adam's size, any shape of weight, resumable bit for bit."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from lensmill.training.checkpoint import load_state, save_state
from lensmill.training.muon import ADAM_RMS, Muon, orthogonal


@pytest.mark.parametrize("shape", [(8, 30), (30, 8), (16, 16), (1, 5)])
def test_singular_values_become_one_and_vectors_stay(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1)).double()
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    turned = u.mT @ orthogonal(matrix) @ v.mT
    clear = s > 0.1 * s[0]
    assert turned.diagonal()[clear].sub(1).abs().max() < 0.35
    assert (turned - torch.diag(turned.diagonal())).abs().max() < 1e-6


def test_nothing_of_nothing():
    assert torch.equal(orthogonal(torch.zeros(3, 4)), torch.zeros(3, 4))


def test_a_step_has_the_size_of_adams():
    layer = nn.Conv2d(32, 64, 3)
    before = layer.weight.detach().clone()
    _step(layer, Muon(layer.parameters(), lr=0.01))
    size = (layer.weight - before).square().mean().sqrt() / 0.01
    assert 0.7 * ADAM_RMS < size < 1.3 * ADAM_RMS


def test_weights_decay_without_a_gradient_in_their_way():
    layer = nn.Linear(4, 4)
    before = layer.weight.detach().clone()
    layer.weight.grad = torch.zeros_like(layer.weight)
    Muon(layer.parameters(), lr=0.1, weight_decay=0.5).step()
    assert torch.allclose(layer.weight, 0.95 * before)


def test_learns_what_is_to_be_learned():
    layer, target = nn.Linear(8, 4), torch.randn(4, 8)
    optimizer = Muon(layer.parameters(), lr=0.05)
    x = torch.randn(256, 8)
    for _ in range(300):
        optimizer.zero_grad()
        (layer(x) - x @ target.mT).square().mean().backward()
        optimizer.step()
    assert (layer(x) - x @ target.mT).square().mean() < 0.05 * target.square().sum() / 4


def test_goes_on_from_a_saved_state(tmp_path):
    layer = nn.Conv2d(2, 3, 3)
    optimizer = Muon(layer.parameters())
    _step(layer, optimizer)
    save_state(tmp_path / "state", layer, {}, optimizer, {"step": 1})
    other = deepcopy(layer)
    anew = Muon(other.parameters())
    assert load_state(tmp_path / "state", other, {}, anew) == {"step": 1}
    _step(layer, optimizer)
    _step(other, anew)
    assert torch.equal(layer.weight, other.weight)
    assert torch.equal(layer.bias, other.bias)


def _step(layer, optimizer):
    optimizer.zero_grad()
    generator = torch.Generator().manual_seed(2)
    layer(torch.randn(1, layer.in_channels, 9, 9, generator=generator)).square().sum().backward()
    optimizer.step()
