"""COOLEST: its own package reads what we write, and means the same lens by it."""

import json

import numpy as np
import pytest
import torch

from lensmill.physics.lens import sie_deflection
from lensmill.survey.coolest import coolest
from lensmill.survey.export import export

BANDS = ("g", "r", "i")


def test_values(candidate_rows):
    found = coolest(candidate_rows[1], BANDS)
    assert found["instrument"]["band"] == "r"  # the sharpest
    assert found["instrument"]["psf"]["fwhm"] == pytest.approx(0.7 / 0.2)
    assert found["observation"]["noise"]["std_dev"] == 3.0
    parameters = found["lensing_entities"][0]["mass_model"][0]["parameters"]
    assert parameters["theta_E"]["point_estimate"]["value"] == 1.25
    assert parameters["theta_E"]["posterior_stats"]["percentile_84th"] == 1.32
    assert parameters["phi"]["posterior_stats"]["percentile_16th"] == pytest.approx(-15.3)
    assert found["meta"]["e2_error"] == 0.03


def test_a_stamp_without_coordinates(candidate_rows):
    found = coolest({**candidate_rows[1], "ra": None, "dec": None}, BANDS)
    assert found["coordinates_origin"]["ra"].startswith("00h00m00")


@pytest.fixture
def read_by_coolest(finished, tmp_path):
    """COOLEST's object, validated by its package."""
    pytest.importorskip("coolest")
    from coolest.template.json import JSONSerializer

    export(finished, tmp_path / "out", "coolest")
    path = tmp_path / "out" / "00000_J01_a"
    reader = JSONSerializer(str(path), check_external_files=False)  # no image comes with it
    return reader.load(validate=True, verbose=False)


def test_the_package_reads_and_validates(read_by_coolest):
    lens, source = read_by_coolest.lensing_entities
    assert (lens.name, source.name) == ("lens", "source")
    parameters = lens.mass_model[0].parameters
    assert parameters["theta_E"].point_estimate.value == pytest.approx(1.25)
    assert parameters["theta_E"].posterior_stats.median == pytest.approx(1.25)
    assert parameters["q"].posterior_stats.percentile_16th == pytest.approx(0.72)
    assert [entity.type for entity in read_by_coolest.lensing_entities] == ["Galaxy"] * 2
    assert read_by_coolest.cosmology.Om0 == 0.3


def test_its_own_json_of_what_it_read_is_ours(read_by_coolest, tmp_path):
    again = json.loads(read_by_coolest.to_JSON(exclude_keys=read_by_coolest.exclude_keys))
    ours = json.loads((tmp_path / "out" / "00000_J01_a.json").read_text())
    for parameter in ours["lensing_entities"][0]["mass_model"][0]["parameters"].values():
        parameter["fixed"] = False  # its reader forgets it
    assert again["lensing_entities"] == ours["lensing_entities"]
    assert again["instrument"] == ours["instrument"]
    assert again["coordinates_origin"] == ours["coordinates_origin"]


def test_it_deflects_as_ours(read_by_coolest):
    """By its power law, of which the SIE is the case γ = 2."""
    from coolest.api.profiles.mass import PEMD

    x, y = np.meshgrid(np.linspace(-2, 2, 7), np.linspace(-1.5, 1.6, 6))
    parameters = read_by_coolest.lensing_entities[0].mass_model[0].parameters
    values = {name: each.point_estimate.value for name, each in parameters.items()}
    theirs = PEMD().deflection(x, y, gamma=2.0, **values)
    phi = torch.deg2rad(torch.tensor(90 - 11.3, dtype=torch.float64))
    mass = (torch.tensor(1.25).double(), torch.tensor(0.77, dtype=torch.float64), phi)
    ours = sie_deflection(torch.from_numpy(x), torch.from_numpy(y), *mass)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.numpy(), b, atol=1e-5)
