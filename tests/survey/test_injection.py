"""Injection: arcs as bright as said, where the galaxy is, in the stamp's own unit, with noise."""

import dataclasses

import numpy as np
import pytest
import torch

from lensmill.physics.surveys import DES_WIDE, LSST_10YEAR
from lensmill.survey.injection import Photometry, Sources, inject_into, light_angle
from lensmill.survey.stamps import Stamp

BANDS = ("g", "r", "i")
INDICES = torch.arange(3, 8)


def stamp(angle=0.6, shape=(47, 53), scale=0.25, level=200.0):
    """An elongated galaxy, q = 0.5, without noise; +x is 0."""
    y, x = np.indices(shape) - (np.array(shape)[:, None, None] - 1) / 2
    u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    galaxy = level * np.exp(-(u**2 + 4 * v**2) / (2 * (1.2 / scale) ** 2))
    return Stamp(
        "an object",
        BANDS,
        np.stack([galaxy] * 3).astype(np.float32),
        np.zeros((3, *shape), bool),
        np.full(3, 2.0, np.float32),
        np.array([1.1, 0.9, 0.8], np.float32),
        scale,
        (),
        None,
        None,
        None,
        "a file",
    )


def photometry(zero_point=(30.0,), gain=(40.0,)):
    return Photometry.of(BANDS, zero_point, gain, None)


@pytest.mark.parametrize("angle", [0.1, 0.6, 1.5, 2.9])
def test_the_angle_of_the_light(angle):
    assert light_angle(stamp(angle)) == pytest.approx(angle, abs=0.03)


def test_what_is_drawn_is_what_was_asked_for():
    sources = Sources((0.7, 0.9), (22.0, 23.0))
    scene = sources.draw(4, torch.arange(200), 0.6)
    assert ((scene.mass.theta_E > 0.7) & (scene.mass.theta_E < 0.9)).all()
    i = scene.source.magnitude[:, 0, -1]
    assert i.min() > 22
    assert i.max() < 23
    tilt = torch.remainder(scene.mass.phi - 0.6 + 0.5 * torch.pi, torch.pi) - 0.5 * torch.pi
    assert 0.1 < tilt.std() < 0.25
    # A source keeps its place in units of θ_E: within it, or there would be no arcs.
    beta = torch.hypot(
        *(getattr(scene.source, axis)[:, 0] - getattr(scene.mass, axis) for axis in ("x", "y"))
    )
    assert (beta / scene.mass.theta_E).median() < 1
    assert not scene.foreground.magnitude.isfinite().any()


def test_the_same_whoever_asks():
    together = inject_into(stamp(), photometry(), Sources(), 1, INDICES)
    alone = inject_into(stamp(), photometry(), Sources(), 1, INDICES[2:4])
    for name in ("theta_E", "magnitude", "snr", "image"):
        a, b = getattr(together, name)[2:4], getattr(alone, name)
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-3)
    other = inject_into(stamp(), photometry(), Sources(), 2, INDICES)
    assert (other.theta_E != together.theta_E).all()


def test_a_magnitude_is_a_flux_of_the_stamps_unit():
    """Five magnitudes in the zero point are a hundred times the arcs."""
    sources = Sources((1.0, 1.2), (22.0, 22.5))
    loud = photometry((30.0, 30.0, 30.0), (1e9,))
    faint = photometry((25.0,), (1e9,))
    arcs = [
        inject_into(stamp(), each, sources, 1, INDICES).image - torch.from_numpy(stamp().image)
        for each in (loud, faint)
    ]
    torch.testing.assert_close(arcs[0], 100 * arcs[1], rtol=0.02, atol=0.1)
    flux = arcs[0][:, -1].sum((-2, -1))
    unlensed = 10 ** (-0.4 * (22.25 - 30.0))
    assert (flux > 1.2 * unlensed).all()  # magnified, though not all of it is on the stamp
    assert (flux < 40 * unlensed).all()


def test_arcs_have_photon_noise():
    sources = Sources((1.0, 1.2), (21.0, 21.1))
    quiet, noisy = (
        inject_into(stamp(), photometry(gain=(gain,)), sources, 1, INDICES).image
        for gain in (1e12, 4.0)
    )
    arcs = quiet - torch.from_numpy(stamp().image)
    lit = arcs > 5
    chi = ((noisy - quiet) / torch.sqrt(arcs / 4.0))[lit]
    assert chi.std() == pytest.approx(1, abs=0.05)
    assert ((noisy - quiet)[arcs < 1e-3].abs() < 0.1).all()


def test_brighter_sources_stand_out_more():
    snr = [
        inject_into(stamp(), photometry(), Sources((1.0, 1.1), (m, m + 0.1)), 1, INDICES).snr
        for m in (22.0, 25.0)
    ]
    assert (snr[0] > 3 * snr[1]).all()


def test_the_gain_of_a_survey():
    """One electron of DES' 900 s in i is of magnitude 26.86 + 2.5 log10(900) = 34.25."""
    found = Photometry.of(BANDS, (30.0,), None, DES_WIDE)
    assert found.zero_point == (30.0, 30.0, 30.0)
    assert found.gain[2] == pytest.approx(10 ** (0.4 * 4.2456), rel=1e-3)


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match="gain"):
        Photometry.of(BANDS, (30.0,), None, None)
    with pytest.raises(ValueError, match="gain"):
        Photometry.of(("g", "r", "z"), (30.0,), None, LSST_10YEAR)
    with pytest.raises(ValueError, match="zero_point: 2 values"):
        Photometry.of(BANDS, (30.0, 30.1), (1.0,), None)


def test_a_stamp_is_left_as_it_is():
    one = stamp()
    before = dataclasses.replace(one, image=one.image.copy())
    inject_into(one, photometry(), Sources(), 1, INDICES)
    np.testing.assert_array_equal(one.image, before.image)


@pytest.mark.parametrize(
    ("zero_point", "gain", "word"),
    [
        (np.nan, 1.0, "zero_point"),
        (np.inf, None, "zero_point"),
        (30.0, 0.0, "gain"),
        (30.0, -2.0, "gain"),
        (30.0, np.inf, "gain"),
        (30.0, np.nan, "gain"),
    ],
)
def test_what_is_no_photometry_is_refused(zero_point, gain, word):
    with pytest.raises(ValueError, match=f"{word}: .* are not all"):
        Photometry.of(BANDS, (zero_point,), gain if gain is None else (gain,), DES_WIDE)
