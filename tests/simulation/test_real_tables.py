"""LensPop's lists and cosmoDC2's rows, where they are at hand."""

from pathlib import Path

import pytest
import torch

from lensmill.simulation.population.catalogue import Catalogue

REAL = Path(__file__).parents[2].parent / "shared" / "data"


def real(name):
    if not (REAL / name).exists():
        pytest.skip(f"{REAL / name} is not here")
    return str(REAL / name)


@pytest.mark.parametrize(
    ("name", "rows", "theta_E"),
    [
        ("lenses_LSSTa", 8833, 1.30),
        ("lenses_LSSTc", 13126, 1.15),
        ("lenses_LSSTc_rerun", 26463, 1.1),
    ],
)
def test_lists_of_lenspop(name, rows, theta_E):
    population = Catalogue(table=real(f"collett15/{name}.txt"), lens_fraction=1.0)
    assert len(population.rows["z_lens"]) == rows
    scene = population.draw(1, torch.arange(3000))
    assert scene.mass.theta_E.median().item() == pytest.approx(theta_E, rel=0.1)
    distance = torch.hypot(scene.source.x[:, 0] - scene.mass.x, scene.source.y[:, 0] - scene.mass.y)
    inside = (distance <= scene.mass.theta_E).double().mean()
    assert inside > 0.99
    # Detected sources lie along the major axis more often than not, as `Collett` draws them
    # (0.11 ± 0.03): the lists' long axes are along +y indeed.
    angle = torch.atan2(scene.source.y[:, 0] - scene.mass.y, scene.source.x[:, 0] - scene.mass.x)
    double = 2 * (angle - scene.foreground.phi[:, 0])
    assert 0.08 < double.cos().mean() < 0.18
    assert abs(double.sin().mean()) < 0.06
