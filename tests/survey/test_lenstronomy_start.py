"""lenstronomy: it reads our start, means the same lens by it, and fits from it."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from astropy.io import fits

from lensmill.grid import Grid
from lensmill.physics.lens import sie_deflection
from lensmill.physics.surveys import LSST_10YEAR
from lensmill.simulation.observing import Observing
from lensmill.simulation.population.priors import Priors
from lensmill.simulation.simulator import Simulator
from lensmill.survey.demo import write_stamps
from lensmill.survey.export import export
from lensmill.survey.lenstronomy_start import lenstronomy_start
from lensmill.survey.stamps import Reading, find_objects, read
from lensmill.units import axis_ratio_from_ellipticity, ellipticity_from_axis_ratio

BANDS = ("g", "r", "i")
LIGHT = "de_vaucouleurs"
pytestmark = pytest.mark.filterwarnings("ignore")  # theirs


def test_initial_values_lie_within_limits(candidate_rows):
    """Also of a lens more elliptical than any fit allows."""
    extreme = {**candidate_rows[1], "e1": -0.9, "e2": 0.0}
    for row in (candidate_rows[1], extreme):
        for parts in lenstronomy_start(row, BANDS)["kwargs_params"].values():
            for first, sigma, fixed, lower, upper in zip(*parts, strict=True):
                assert first.keys() == sigma.keys() == lower.keys() == upper.keys()
                assert all(lower[name] <= first[name] <= upper[name] for name in first)
                assert fixed.keys() <= first.keys()


def test_widths_are_the_posteriors(candidate_rows):
    _, (sigma,), *_ = lenstronomy_start(candidate_rows[1], BANDS)["kwargs_params"]["lens_model"]
    assert sigma["theta_E"] == pytest.approx(0.06)
    assert (sigma["e1"], sigma["e2"]) == (0.02, 0.03)


def test_there_and_back_through_its_parameters(candidate_rows):
    pytest.importorskip("lenstronomy")
    from lensmill.survey.lenstronomy_fit import Fit, bands_of

    start = lenstronomy_start(candidate_rows[1], BANDS)
    fit = Fit(start, bands_of(start, np.zeros((3, 38, 41)), np.ones((3, 38, 41)), 1))
    found = fit.kwargs(fit.first)
    for part, name in (("lens", "lens_model"), ("source", "source_model")):
        expected = start["kwargs_params"][name][0][0]
        assert {key: found[f"kwargs_{part}"][0][key] for key in expected} == pytest.approx(expected)
    assert fit.prior(fit.first) == pytest.approx([0, 0, 0])


def test_the_pixels_of_the_fit_are_those_of_the_chain(candidate_rows, tmp_path):
    """Of a stamp on a pedestal, which lensmill subtracts."""
    pytest.importorskip("lenstronomy")
    from lensmill.survey.lenstronomy_fit import bands_of, read_stamp

    simulator = Simulator(Priors(), Observing(LSST_10YEAR), Grid((41, 45), 0.2))
    batch = simulator(5, torch.arange(1))
    pedestal = torch.tensor([50.0, 0.0, -80.0])[:, None, None] * batch["sky_sigma"][..., None, None]
    write_stamps(tmp_path, {**batch, "noisy": batch["noisy"] + pedestal}, BANDS)
    (stamp,) = read(find_objects(tmp_path, Reading())[0], Reading())
    assert "background_subtracted" in stamp.flags
    conditions = {
        "psf_fwhm": stamp.psf_fwhm.tolist(),
        "sky_sigma": stamp.sky_sigma.tolist(),
        "background": list(stamp.background),
    }
    start = lenstronomy_start({**candidate_rows[1], **conditions}, BANDS)
    found = read_stamp(tmp_path / stamp.source, BANDS, start["sky_sigma"])
    for (data, _, _), seen in zip(bands_of(start, *found, 2), stamp.image, strict=True):
        np.testing.assert_allclose(data["image_data"], seen[:, 2:-2], rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("cards", [{"BANDS": "irg"}, {"BAND0": "i", "BAND1": "r", "BAND2": "g"}])
def test_the_planes_of_a_cube_are_the_bands_it_says(tmp_path, cards):
    pytest.importorskip("lenstronomy")
    from lensmill.survey.lenstronomy_fit import read_stamp

    cube = np.arange(3)[:, None, None] * np.ones((3, 20, 23))
    weight, image = fits.ImageHDU(cube + 9, name="WEIGHT"), fits.ImageHDU(cube, name="SCI")
    image.header.update(cards)
    fits.HDUList([fits.PrimaryHDU(), weight, image]).writeto(tmp_path / "a.fits")
    images, _ = read_stamp(tmp_path / "a.fits", BANDS, [1.0, 1.0, 1.0])
    assert images[:, 0, 0].tolist() == [2, 1, 0]
    with pytest.raises(ValueError, match="not of g, z"):
        read_stamp(tmp_path / "a.fits", ("g", "z"), [1.0, 1.0])


def test_it_deflects_as_ours(candidate_rows):
    pytest.importorskip("lenstronomy")
    from lenstronomy.LensModel.lens_model import LensModel

    start = lenstronomy_start(candidate_rows[1], BANDS)
    x, y = np.meshgrid(np.linspace(-2, 2, 7), np.linspace(-1.5, 1.6, 6))
    model = LensModel(start["kwargs_model"]["lens_model_list"])
    theirs = model.alpha(x.ravel(), y.ravel(), start["kwargs_params"]["lens_model"][0])
    e1, e2 = (torch.tensor(candidate_rows[1][name]).double() for name in ("e1", "e2"))
    mass = (torch.tensor(1.25).double(), *axis_ratio_from_ellipticity(e1, e2))
    ours = sie_deflection(torch.from_numpy(x), torch.from_numpy(y), *mass)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.numpy().ravel(), b, atol=1e-6)


def test_the_truth_explains_a_bright_cusp(candidate_rows):
    """Of de Vaucouleurs galaxies whose peak is 100 σ and more, at their own parameters."""
    pytest.importorskip("lenstronomy")
    from lensmill.survey.lenstronomy_fit import Fit, bands_of, chi2

    population = Priors(lens_fraction=0, empty_fraction=1, companions=0, lens_light=LIGHT)
    simulator = Simulator(population, Observing(LSST_10YEAR), Grid((41, 41), 0.2))
    indices = torch.arange(24)
    batch, (scene, _) = simulator(5, indices), simulator.draw(5, indices)
    light = scene.foreground
    e1, e2 = ellipticity_from_axis_ratio(light.q, light.phi)
    noise = (batch["sky_sigma"][..., None, None] ** 2 + batch["clean"]).sqrt()
    peak = (batch["clean"] / noise).amax((1, 2, 3))
    for k in torch.where(peak > 100)[0].tolist()[:4]:
        width = {"psf_fwhm": batch["psf_fwhm"][k].tolist(), "pixel_scale": 0.2}
        start = lenstronomy_start({**candidate_rows[1], **width}, BANDS)
        bulge = start["kwargs_params"]["lens_light_model"][0][0]
        values = {"R_sersic": light.half_light_radius, "e1": e1, "e2": e2}
        bulge |= {name: float(value[k, 0]) for name, value in values.items()}
        centre = {"center_x": float(light.x[k, 0]), "center_y": float(light.y[k, 0])}
        for part in ("lens_model", "lens_light_model"):
            for component in start["kwargs_params"][part][0]:
                component |= centre
        fit = Fit(start, bands_of(start, batch["noisy"][k].numpy(), noise[k].numpy(), 2))
        residuals = fit.residuals(fit.first)
        assert chi2(residuals) / len(residuals) < 1.05


def test_the_exported_script_improves_the_fit(finished, tmp_path):
    """A bright lens, θ_E 8 % off at the start, on a stamp that is not square."""
    pytest.importorskip("lenstronomy")
    population = Priors(lens_fraction=1.0, brightening=4.0, companions=0.0)
    simulator = Simulator(population, Observing(LSST_10YEAR), Grid((42, 47), 0.2))
    batch = simulator(11, torch.arange(12))
    best = int(torch.where(batch["theta_E"] < 1.5, batch["source_snr"], 0.0).argmax())
    lens = {name: value[best : best + 1] for name, value in batch.items()}
    write_stamps(tmp_path / "stamps", lens, BANDS)
    write_run(finished, lens)
    export(finished, tmp_path / "out", "lenstronomy")
    command = [sys.executable, "-W", "ignore", "fit.py", "00000_it.json", "../stamps/demo_000.fits"]
    done = subprocess.run(command, cwd=tmp_path / "out", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "00000_it_fit.json").read_text())
    assert found["converged"]
    assert found["chi2"] < found["chi2_start"]
    theta_E = found["kwargs_result"]["kwargs_lens"][0]["theta_E"]
    assert theta_E == pytest.approx(float(lens["theta_E"]), rel=0.03)
    assert "χ² per pixel" in done.stdout


def write_run(folder, lens):
    """A run that found `lens`, θ_E 8 % too large."""
    from lensmill.survey.catalogue import as_table, write_catalogue

    theta_E, e1, e2 = (float(lens[name][0]) for name in ("theta_E", "e1", "e2"))
    row = {
        "id": "it",
        "p_lens": 0.99,
        "theta_E": 1.08 * theta_E,
        "theta_E_16": theta_E,
        "theta_E_84": 1.16 * theta_E,
        "e1": e1 + 0.03,
        "e1_error": 0.05,
        "e2": e2 - 0.03,
        "e2_error": 0.05,
        "q": 0.7,
        "q_16": 0.6,
        "q_84": 0.8,
        "position_angle_deg": 0.0,
        "position_angle_error_deg": 9.0,
        "pixel_scale": 0.2,
        "psf_fwhm": lens["psf_fwhm"][0].tolist(),
        "sky_sigma": lens["sky_sigma"][0].tolist(),
    }
    write_catalogue(as_table([row]), folder / "catalogue.parquet")
