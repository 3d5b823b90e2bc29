"""Each promise of the contract is seen to be broken."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from lensmill.testing import check_network


class Good(nn.Module):
    """The smallest network that keeps the contract."""

    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.convolution = nn.Conv2d(in_channels, out_channels, 3, padding=1)

    def forward(self, x):
        return self.convolution(x)


class GoodVector(Good):
    def forward(self, x):
        return super().forward(x).mean((2, 3))


class OwnChannels(Good):
    def __init__(self, in_channels, out_channels):
        super().__init__(in_channels, 3)


class OnlyThreeIn(Good):
    def __init__(self, in_channels, out_channels):
        super().__init__(3, out_channels)


class Shrinking(Good):
    def forward(self, x):
        return super().forward(x)[..., 1:-1, 1:-1]


class EvenOnly(Good):
    def forward(self, x):
        return functional.pixel_shuffle(super().forward(functional.pixel_unshuffle(x, 2)), 2)


class NotFiniteOnBlank(Good):
    def forward(self, x):
        return super().forward(x / x.std((1, 2, 3), keepdim=True))


class Double(Good):
    def forward(self, x):
        return super().forward(x).double()


class Unused(Good):
    def __init__(self, in_channels, out_channels):
        super().__init__(in_channels, out_channels)
        self.spare = nn.Linear(2, 2)


class Detached(Good):
    def forward(self, x):
        return super().forward(x).detach() + self.convolution.bias.sum()


class Mixing(Good):
    def forward(self, x):
        return super().forward(x - x.mean(0))


class Random(Good):
    def forward(self, x):
        return super().forward(x) + 0.1 * torch.randn_like(x[:, :1])


class WrongWithoutTraining(Good):
    def forward(self, x):
        return super().forward(functional.dropout(x, 0.5, training=True))


BROKEN = {
    OwnChannels: "made \\(2, 3, 32, 45\\), not \\(2, 2, 32, 45\\)",
    OnlyThreeIn: "fails on 5 → 7 channels",
    Shrinking: "made \\(2, 2, 30, 43\\)",
    EvenOnly: "fails on",
    NotFiniteOnBlank: "not finite",
    Double: "float64",
    Unused: "never learns spare",
    Detached: "never learns convolution.weight",
    Mixing: "depends on the others",
    Random: "different outputs for one input",
    WrongWithoutTraining: "different outputs for one input",
}


def test_good_members_pass():
    check_network(Good, "image")
    check_network(GoodVector, "vector")


@pytest.mark.parametrize("member", BROKEN)
def test_broken_member_fails(member):
    with pytest.raises(AssertionError, match=BROKEN[member]):
        check_network(member, "image")


def test_an_image_is_no_vector():
    with pytest.raises(AssertionError, match="not \\(2, 2\\)"):
        check_network(Good, "vector")
