"""Survey presets against the published noise and depth."""

import math

import pytest

from lensmill.physics.surveys import PRESETS, Band, preset


def sigma(band: Band, pixel_scale: float) -> float:
    """Noise of empty sky, e⁻ per pixel of the coadd."""
    return math.sqrt(band.sky(pixel_scale) + band.visits * band.reads * band.read_noise**2)


def depth(band: Band, pixel_scale: float) -> float:
    """5σ magnitude of a point: n_eff = 2.266 (FWHM/pixel)² pixels (Ivezić et al. 2019, eq. 7)."""
    pixels = 2.266 * (band.psf_fwhm / pixel_scale) ** 2
    noise = pixels * sigma(band, pixel_scale) ** 2
    flux = 0.5 * (25 + math.sqrt(625 + 100 * noise))  # F² = 25 (F + noise)
    return band.total_zero_point() - 2.5 * math.log10(flux)


def test_lenspop_coadd_has_the_noise_of_lenspop() -> None:
    """Its code: 0.355, 0.397, 0.523 counts per pixel at zero point 30; to 1 %."""
    survey = preset("lenspop_coadd")
    for band, expected in zip(survey.bands.values(), (0.355, 0.397, 0.523), strict=True):
        counts = sigma(band, survey.pixel_scale) * 10 ** (0.4 * (30 - band.total_zero_point()))
        assert counts == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(
    ("name", "published", "tolerance"),
    [("lsst_visit", (24.77, 24.33, 23.90), 0.25), ("lsst_10year", (27.16, 27.17, 26.74), 0.1)],
)
def test_depth_is_near_the_published(
    name: str, published: tuple[float, ...], tolerance: float
) -> None:
    """Ivezić et al. 2019; the zero points measured since (SMTN-002) are 0.2 to 0.4 mag deeper."""
    survey = preset(name)
    for band, expected in zip(survey.bands.values(), published, strict=True):
        assert depth(band, survey.pixel_scale) == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("name", PRESETS)
def test_deeper_is_less_noisy_per_visit(name: str) -> None:
    """Signal grows with visits, noise with their root."""
    survey = preset(name)
    deeper = survey.with_visits(4.0)
    single = survey.with_visits(1.0)
    for one, four in zip(single.bands.values(), deeper.bands.values(), strict=True):
        assert sigma(four, 0.2) == pytest.approx(2 * sigma(one, 0.2))
        assert four.total_zero_point() == pytest.approx(
            one.total_zero_point() + 2.5 * math.log10(4)
        )


@pytest.mark.parametrize("name", PRESETS)
def test_sky_dominates_enough_for_the_noise_model(name: str) -> None:
    """`poisson_like` wants at least some 20 e⁻ of sky and read noise in a pixel."""
    survey = preset(name)
    assert all(sigma(band, survey.pixel_scale) ** 2 > 20 for band in survey.bands.values())


def test_an_unknown_preset_names_the_choices() -> None:
    with pytest.raises(ValueError, match="lsst_10year"):
        preset("lsst")
