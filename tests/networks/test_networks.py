"""The networks keep the contract, and the paper's have the paper's number of parameters."""

from functools import partial

import pytest
import torch
from torch.nn import functional

from lensmill.networks.blocks import Stem, pad_to_multiple
from lensmill.networks.edsr import EDSR
from lensmill.networks.polar import Polar
from lensmill.networks.resnet import ResNet50
from lensmill.networks.trunk import Trunk
from lensmill.networks.unet import UNet
from lensmill.testing import check_network

MEMBERS = {
    "UNet": (partial(UNet, widths=(6, 8, 10), blocks=1), "image"),
    "UNet of one level": (partial(UNet, widths=(6,), blocks=2), "image"),
    "UNet folded by three": (partial(UNet, widths=(6, 8), blocks=1, fold=3), "image"),
    "EDSR": (partial(EDSR, width=8, blocks=2), "image"),
    "Trunk": (partial(Trunk, widths=(6, 8, 10), blocks=1, hidden=8), "vector"),
    "Polar": (partial(Polar, width=6, wide=8, blocks=1, hidden=8), "vector"),
    "Polar folded by three": (partial(Polar, width=6, wide=8, blocks=1, fold=3), "vector"),
    "ResNet50": (partial(ResNet50, width=8), "vector"),
}


@pytest.mark.parametrize("name", MEMBERS)
def test_contract(name):
    check_network(*MEMBERS[name])


def _parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_edsr_has_the_papers_size():
    with torch.device("meta"):
        assert _parameters(EDSR(3, 3)) == 19_486_723


def test_resnet50_has_the_published_size():
    with torch.device("meta"):
        assert _parameters(ResNet50(3, 1000)) == 25_557_032


def test_resnet50_has_torchvisions_key_names():
    with torch.device("meta"):
        keys = set(ResNet50(3, 1000).state_dict())
    assert {"conv1.weight", "layer1.0.downsample.0.weight", "layer4.2.bn3.bias", "fc.bias"} <= keys
    assert len(keys) == 320


def test_untrained_unet_outputs_zero():
    output = UNet(4, 3, widths=(6, 8))(torch.randn(2, 4, 35, 38))
    assert output.shape == (2, 3, 35, 38)
    assert not output.any()


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (partial(UNet, widths=(6, 8)), (2, 3, 34, 41)),
        (partial(Trunk, widths=(6, 8)), (2, 3)),
        (partial(Polar, width=6, wide=8), (2, 3)),
    ],
    ids=["UNet", "Trunk", "Polar"],
)
def test_compact_networks_output_float32_under_autocast(network, shape):
    with torch.autocast("cpu", torch.bfloat16):
        output = network(4, 3)(torch.randn(2, 4, 34, 41))
    assert output.dtype == torch.float32
    assert output.shape == shape


def test_padding_repeats_the_far_edges():
    image = torch.arange(2 * 3 * 5.0).reshape(1, 2, 3, 5).expand(2, -1, -1, -1)
    padded = pad_to_multiple(image, 4)
    assert padded.shape == (2, 2, 4, 8)
    assert torch.equal(padded[..., :3, :5], image)
    assert torch.equal(padded[..., 3, :5], image[..., 2, :])
    assert torch.equal(padded[..., :3, 7], image[..., 4])


@pytest.mark.parametrize("shape", [(40, 40), (41, 47), (52, 33)])
def test_polar_samples_circles_around_the_centre(shape):
    """A map of the distance from the centre is the same on every angle of a circle."""
    network = Polar(1, 2, reach=12.0)
    y, x = (torch.arange(side) - (side - 1) / 2 for side in shape)
    padded = pad_to_multiple(torch.hypot(y[:, None], x)[None, None], 2)
    points = network._points(shape, padded)
    radius = torch.nn.functional.grid_sample(padded, points, align_corners=False)[0, 0]
    expected = (torch.arange(16.0) + 0.5)[:, None] * 0.75
    torch.testing.assert_close(radius[2:], expected.expand_as(radius)[2:], rtol=0, atol=0.08)


def folded(stem, x):
    """What a stem is, written out."""
    return stem.convolution(functional.pixel_unshuffle(x, stem.fold))


@pytest.mark.parametrize("fold", [2, 3])
def test_a_stem_is_a_convolution_of_the_folded_image(fold):
    torch.manual_seed(0)
    stem, x = Stem(5, 7, fold), torch.randn(2, 5, 6 * fold, 4 * fold)
    torch.testing.assert_close(stem(x), folded(stem, x), rtol=1e-4, atol=1e-5)
