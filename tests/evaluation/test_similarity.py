"""SSIM of eight-bit pictures."""

import pytest
import torch

from lensmill.evaluation.similarity import ssim


@pytest.fixture
def picture():
    y, x = torch.meshgrid(torch.arange(24), torch.arange(31), indexing="ij")
    bands = [(7 * x + 3 * y) % 256, (x * y) % 256, 255 - (5 * x) % 256]
    return torch.stack(bands).double()[None]


def test_it_is_what_scikit_image_has(picture):
    """skimage 0.26: structural_similarity(…, gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, data_range=255, channel_axis=0)."""
    changed = picture.clone()
    changed[..., 8:14, 5:20] *= 0.5
    found = ssim(changed.round(), picture)
    assert float(found) == pytest.approx(0.5482421389243765, abs=1e-12)


def test_the_same_picture_is_one(picture):
    assert ssim(picture, picture).item() == pytest.approx(1)
    assert ssim(0 * picture, 0 * picture).item() == 1


def test_each_example_has_its_own(picture):
    pair = torch.cat([picture, picture.flip(-1)])
    one, other = ssim(pair, picture.expand(2, -1, -1, -1))
    assert one == pytest.approx(1)
    assert other < 0.9


def test_a_picture_smaller_than_the_window_has_one_of_its_size(picture):
    small = picture[..., :7, :5]
    assert ssim(small, small).item() == pytest.approx(1)
    assert ssim(small.flip(-1), small).item() < 0.9
