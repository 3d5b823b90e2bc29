"""Channels: what a network sees of an image and its conditions."""

import torch
from torch.nn import functional

from lensmill.stages.scaling import (
    channel_count,
    channels,
    colour_channels,
    compressed,
    condition_channels,
    image_channels,
    in_sigmas,
    local_noise,
    shared_views,
    smooth,
)


def test_channel_count_is_true(batch):
    for images in (("noisy",), ("noisy", "source")):
        for colours in (False, True):
            count = channel_count(3, len(images), colours)
            assert channels(batch, images, colours).shape == (8, count, 34, 39)


def test_images_in_sigmas(batch):
    scaled = in_sigmas(batch, "noisy") * batch["sky_sigma"][..., None, None]
    torch.testing.assert_close(scaled, batch["noisy"])


def test_smoothing_keeps_a_plane():
    plane = torch.arange(7.0)[:, None] + 3 * torch.arange(9.0)[None]
    smoothed = smooth(plane.expand(2, 3, 7, 9))
    torch.testing.assert_close(smoothed[..., 1:-1, 1:-1], plane[1:-1, 1:-1].expand(2, 3, 5, 7))


def test_smoothing_is_the_mean_over_nine_pixels():
    image = torch.randn(2, 3, 7, 9)
    padded = functional.pad(image, (1, 1, 1, 1), mode="replicate")
    torch.testing.assert_close(smooth(image), functional.avg_pool2d(padded, 3, 1))


def test_compressed_is_asinh():
    x = torch.cat([torch.linspace(-5, 5, 101), torch.tensor([-1e30, -1e3, 1e3, 1e30])])
    torch.testing.assert_close(compressed(x), torch.asinh(x), rtol=1e-6, atol=2e-7)
    assert not compressed(torch.zeros(3)).any()


def test_the_centre_stays_the_centre_whatever_is_cut_off(batch):
    seen = channels(batch, ("noisy",))[:, :9]
    for side in (20, 21, 99):
        cut = channels(batch, ("noisy",), side=side)
        height, width = cut.shape[-2:]
        assert (height, width) == (min(34, side + side % 2), min(39, side + 1 - side % 2))
        rows, columns = (34 - height) // 2, (39 - width) // 2
        assert torch.equal(cut[:, :9], seen[..., rows : rows + height, columns : columns + width])
        where = condition_channels(batch, cut)
        assert torch.equal(cut[:, 9:], where)


def test_views_are_made_once_where_they_are_shared(batch):
    batch = {name: value.clone() for name, value in batch.items()}
    alone = channels(batch, ("noisy", "source"))
    with shared_views():
        assert torch.equal(channels(batch, ("noisy", "source")), alone)
        batch["noisy"].zero_()  # what nobody may do, and what shows that it is not looked at again
        assert torch.equal(channels(batch, ("noisy", "source")), alone)
        other = {**batch, "noisy": batch["noisy"].clone()}
        assert not channels(other, ("noisy",))[:, :9].any()
    assert not channels(batch, ("noisy",))[:, :9].any()


def test_local_noise_is_the_skys_on_empty_sky_and_grows_with_light():
    assert torch.equal(local_noise(torch.zeros(2, 1, 5, 6)), torch.ones(2, 1, 5, 6))
    assert torch.equal(local_noise(torch.full((2, 1, 5, 6), -9.0)), torch.ones(2, 1, 5, 6))
    torch.testing.assert_close(
        local_noise(torch.full((2, 1, 5, 6), 150.0)), torch.full((2, 1, 5, 6), 2.0)
    )


def test_what_a_half_turn_leaves_is_gone_in_the_third_view():
    image = torch.rand(2, 2, 33, 36)
    symmetric = image + image.flip(-1, -2)
    evenly, oddly = (
        image_channels(each, smooth(each), local_noise(each)) for each in (symmetric, image)
    )
    assert evenly[:, 4:].abs().max() < 1e-6
    assert oddly[:, 4:].abs().max() > 0.1


def test_conditions_are_in_pixels(batch):
    """The same image on pixels twice as large, seeing twice as wide: the network sees no change."""
    like = torch.zeros(8, 3, 34, 39)
    coarse = {**batch, **{k: 2 * batch[k] for k in ("psf_fwhm", "pixel_scale")}}
    fine = condition_channels(batch, like)
    torch.testing.assert_close(condition_channels(coarse, like), fine)
    torch.testing.assert_close(fine[:, :3, 0, 0].exp() * 0.2, batch["psf_fwhm"])


def test_positions_start_at_the_centre(batch):
    x, y, radius = condition_channels(batch, torch.zeros(8, 3, 5, 7))[0, 3:]
    assert torch.equal(x[0] * 10, torch.arange(-3.0, 4.0))
    assert torch.equal(y[:, 0] * 10, torch.arange(-2.0, 3.0))
    assert radius[2, 3] == 0
    assert radius.argmax() == 0


def test_of_a_galaxy_of_one_colour_its_colours_show_nothing_but_the_arcs():
    """Bright, elliptical, seen through another PSF in each band; arcs of another colour."""
    y, x = torch.meshgrid(torch.arange(61.0) - 30, torch.arange(66.0) - 32.5, indexing="ij")
    fwhm = torch.tensor([[8.0, 7.0, 6.5], [7.0, 7.5, 8.0]])
    sigma = (fwhm / 2.3548)[..., None, None]
    colour = torch.tensor([200.0, 900.0, 1500.0])[:, None, None]

    def blob(width_x, width_y, x_0):
        squared = (x - x_0) ** 2 / (width_x**2 + sigma**2) + y**2 / (width_y**2 + sigma**2)
        return torch.exp(-squared / 2) / torch.sqrt(
            (width_x**2 + sigma**2) * (width_y**2 + sigma**2)
        )

    galaxy = 30 * colour * blob(4.0, 6.0, 0.0)
    arc = 3000 * blob(0.5, 1.5, 12.0)
    assert galaxy.amax((2, 3)).min() > 100
    assert colour_channels(galaxy, fwhm).abs().max() < 0.05
    found = colour_channels(galaxy + arc, fwhm)
    assert (found.amax((2, 3)) > 1).all()
    assert (abs(found.flatten(2).argmax(2) % 66 - 44.5) < 3).all()
