"""Counter: Philox4x32-10 as published, and numbers that depend on their own key alone."""

import numpy as np
import pytest
import torch
from scipy.stats import chisquare, kstest

from lensmill.simulation.counter import normal, philox, uniform

INDICES = torch.arange(2000) * 7 + 2**33
DRAWS = [uniform, normal]


def _hexadecimal(text):
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ("0 0 0 0", "0 0", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        (
            "ffffffff ffffffff ffffffff ffffffff",
            "ffffffff ffffffff",
            "408f276d 41c83b0e a20bc7c6 6d5451fd",
        ),
        (
            "243f6a88 85a308d3 13198a2e 03707344",
            "a4093822 299f31d0",
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_known_answers(counter, key, expected):
    """Random123's `kat_vectors`, philox4x32 10."""
    blocks = tuple(torch.tensor([word]) for word in _hexadecimal(counter))
    words = philox(blocks, tuple(_hexadecimal(key)))
    assert [word.item() for word in words] == _hexadecimal(expected)


def test_all_bits_of_seed_and_index_count():
    """Number k is word k mod 4 of the block (k // 4, stream, index) under the key `seed`."""
    seed, index, stream = 0x299F31D0_A4093822, 0x03707344_13198A2E, 0x85A308D3
    found = uniform(seed, torch.tensor([index]), stream, 9)[0]
    for k in range(9):
        counter = (k // 4, stream, 0x13198A2E, 0x03707344)
        words = philox(tuple(torch.tensor(each) for each in counter), (0xA4093822, 0x299F31D0))
        assert found[k].item() == (words[k % 4].item() + 0.5) / 2**32


@pytest.mark.parametrize(("draw", "law"), [(uniform, "uniform"), (normal, "norm")])
def test_numbers_follow_their_law(draw, law):
    numbers = draw(3, INDICES, 2, 33)
    assert numbers.shape == (2000, 33)
    assert numbers.isfinite().all()
    assert kstest(numbers.flatten().double().numpy(), law).pvalue > 1e-3


def test_uniforms_are_never_0_or_1():
    numbers = uniform(3, torch.arange(30_000), 2, 9)
    assert 0 < numbers.min() < 1e-4
    assert 1 - 1e-4 < numbers.max() < 1


def test_normals_have_tails():
    """Of 800,000, about 51 lie beyond 4 and 0.5 beyond 5."""
    numbers = normal(3, torch.arange(2000), 2, 400).abs()
    assert 25 < (numbers > 4).sum() < 85
    assert (numbers > 5).sum() < 6


@pytest.mark.parametrize("neighbour", ["index", "number", "stream", "seed"])
def test_neighbours_are_independent(neighbour):
    """Pairs of numbers fill the unit square evenly."""
    here = uniform(3, INDICES, 2, 33)
    there = {
        "index": uniform(3, INDICES + 1, 2, 33),
        "number": here.roll(1, dims=1),
        "stream": uniform(3, INDICES, 3, 33),
        "seed": uniform(4, INDICES, 2, 33),
    }[neighbour]
    counts = np.histogram2d(here.flatten(), there.flatten(), bins=16, range=[[0, 1], [0, 1]])[0]
    assert 1e-3 < chisquare(counts.flatten()).pvalue < 1 - 1e-3


@pytest.mark.parametrize("draw", DRAWS)
def test_order_and_batch_change_nothing(draw):
    whole = draw(3, INDICES, 2, 33)
    order = torch.randperm(len(INDICES), generator=torch.Generator().manual_seed(1))
    assert torch.equal(draw(3, INDICES[order], 2, 33), whole[order])
    parts = [draw(3, part, 2, 33) for part in INDICES.split(301)]
    assert torch.equal(torch.cat(parts), whole)
    assert torch.equal(draw(3, INDICES[17:18], 2, 33), whole[17:18])


def test_more_uniforms_begin_with_the_same():
    assert torch.equal(uniform(3, INDICES, 2, 5), uniform(3, INDICES, 2, 33)[:, :5])


def test_no_number_is_drawn_twice():
    """Across seeds, streams and indices."""
    drawn = [uniform(s, INDICES[:50], t, 6) for s in (3, 4, 2**40 + 3) for t in (0, 1, 2)]
    numbers = torch.cat(drawn).flatten()
    assert len(numbers.unique()) == len(numbers) == 9 * 50 * 6
