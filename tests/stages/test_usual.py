"""Usual: as rare as it says, on draws whose rarity is known."""

import pytest
import torch

from lensmill.stages.usual import KEPT, LEAST, Usual, below, distance, gaussian

COUNT = 4000


def _numbers(seed, count=COUNT, shift=0.0):
    """Correlated, one of them constant."""
    z = torch.randn(count, 4, generator=torch.Generator().manual_seed(seed))
    mixed = z @ torch.tensor([[1.0, 0.5, 0, 0], [0, 2.0, 0, 0], [0, 0, 0.1, 0.1], [0, 0, 0, 0]])
    return {"one": mixed + torch.tensor([shift, 0, 0, 3.0]), "other": z[:, :2].exp()}


@pytest.fixture(scope="module")
def usual():
    return Usual.of(_numbers(1), _numbers(2))


def test_what_is_usual_is_evenly_rare(usual):
    shares = usual.shares(_numbers(3))
    rarity = usual.rarity(shares)
    for column in (*shares.unbind(1), rarity):
        levels = torch.tensor([0.1, 0.5, 0.9, 0.99])
        torch.testing.assert_close(column.quantile(levels), levels, atol=0.03, rtol=0)
    assert shares.shape == (COUNT, 2)


def test_what_is_unlike_is_rare(usual):
    shares = usual.shares(_numbers(3, shift=8.0))
    assert shares[:, 0].median() > 0.99
    assert shares[:, 1].median() < 0.6
    assert usual.rarity(shares).median() > 0.99


def test_a_constant_may_move_by_its_least_scatter(usual):
    numbers = {name: value[:300] for name, value in _numbers(3).items()}
    moved = torch.tensor([0, 0, 0, 20 * LEAST])
    shares = usual.shares({**numbers, "one": numbers["one"] + moved})
    assert (shares[:, 0] > 0.99).all()
    shares = usual.shares({**numbers, "one": numbers["one"] + 0.02 * moved})
    assert shares[:, 0].median() < 0.7


def test_distances_are_of_whitened_numbers():
    numbers = _numbers(1)["one"][:, :3]
    mean, root = gaussian(numbers)
    white = (numbers - mean) @ root
    torch.testing.assert_close(white.mT @ white / COUNT, torch.eye(3), atol=0.02, rtol=0)
    assert distance(numbers, mean, root).mean() == pytest.approx(1, abs=0.01)


def test_what_is_no_number_is_as_far_as_can_be(usual):
    numbers = {name: value[:3] for name, value in _numbers(1).items()}
    numbers["one"] = torch.full_like(numbers["one"], torch.nan)
    shares = usual.shares(numbers)
    assert (shares[:, 0] == KEPT / (KEPT + 1)).all()
    assert (usual.rarity(shares) > 0.99).all()


def test_below_by_hand():
    share = below(torch.tensor([0.0, 2.0, 9.0]), torch.tensor([1.0, 2.0, 3.0]))
    assert share.tolist() == [0.0, 0.5, 0.75]


def test_it_is_remade_of_its_tensors(usual):
    again = Usual(dict(reversed(usual.state_dict().items())))
    assert torch.equal(again.shares(_numbers(3)), usual.shares(_numbers(3)))
