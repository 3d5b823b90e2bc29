"""benchmarks/gap.py: who knows the truth sets amplitudes and takes away what has leaked in."""

import gap
import torch


def test_known_amplitudes_and_leak_are_put_right():
    true, lens = torch.rand(2, 3, 9, 9), torch.rand(2, 3, 9, 9)
    factor = torch.tensor([0.5, 1.0, 2.0])[:, None, None]
    wrong = factor * true + 0.3 * lens

    torch.testing.assert_close(gap.best(wrong, true, [wrong, lens]), true, atol=1e-4, rtol=0)
    torch.testing.assert_close(gap.best(factor * true, true, [true]), true, atol=1e-4, rtol=0)


def test_of_several_amplitudes_the_nearest_is_taken():
    true = torch.rand(1, 3, 9, 9)
    source = true + 0.1 * torch.randn(1, 3, 9, 9)

    better = (gap.best(source, true, [source]) - true).square().sum()

    assert better <= (1.01 * source - true).square().sum()
    assert better <= (source - true).square().sum()


def test_a_dark_image_stays_dark():
    dark = torch.zeros(1, 3, 9, 9)

    assert torch.equal(gap.best(dark, torch.rand(1, 3, 9, 9), [dark]), dark)
