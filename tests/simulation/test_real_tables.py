"""LensPop's lists and cosmoDC2's rows, where they are at hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp

from lensmill.simulation.population import cosmodc2, tracing
from lensmill.simulation.population.background import Galaxies
from lensmill.simulation.population.catalogue import Catalogue
from lensmill.simulation.population.matched import COLUMNS, galaxies
from lensmill.simulation.population.pairs import Pairs
from lensmill.simulation.population.priors import Priors
from lensmill.simulation.population.tables import read_table

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


@pytest.mark.parametrize(("turned", "closer"), [(1, True), (-1, False)])
def test_magnifications_tell_where_angles_are_counted_from(turned, closer):
    """Traced with the angles as read, and with these mirrored, beside the list's magnifications."""
    table = read_table(Path(real("collett15/lenses_LSSTc_rerun.txt"))).columns
    v = {name: column.values for name, column in table.items()}
    large = np.flatnonzero((v["radius_source"] > 0.15) & (v["q_source"] < 0.6))[:400]
    v = {name: values[large] for name, values in v.items()}
    source = Galaxies(
        *(v[f"{name}_source"] for name in ("z", "g", "r", "i", "radius", "q")),
    )
    pair = Pairs(
        source=source,
        z_lens=v["z_lens"],
        velocity_dispersion=v["velocity_dispersion"],
        theta_E=v["theta_E"],
        q_lens=v["q_lens"],
        x=v["y_source"],
        y=-v["x_source"],
        phi_source=turned * np.radians(v["position_angle_source"]),
    )
    traced = tracing.traced(pair).flux.sum((1, 2)).double().numpy()
    apart = np.median(np.abs(np.log(traced / v["magnification"])))
    assert bool(apart < 0.02) == closer


def test_sources_with_the_light_of_cosmodc2s_rows():
    match = {"table": real("cosmodc2/cosmodc2_sample_3500.csv")}
    scene = Priors(source_light=match).draw(1, torch.arange(500))
    flux = 10 ** (-0.4 * scene.source.magnitude[..., 1])
    share = flux[:, 0] / flux.sum(1)
    assert 0.05 < (share == 0).double().mean() < 0.5
    assert 0.1 < (share > 0.95).double().mean() < 0.7
    assert len(scene.source.half_light_radius[:, 1].unique()) > 250


def test_light_as_drawn_against_rows_of_cosmodc2():
    """B/T and sizes of galaxies of the rows' magnitudes, redshifts and flatness: the same
    distributions, all magnitudes together."""
    table = read_table(Path(real("cosmodc2/cosmodc2_sample_3500.csv")))
    rows = galaxies({key: table.column(names[0], "") for key, names in COLUMNS.items()})
    total = -2.5 * np.log10(np.sum(10 ** (-0.4 * rows.magnitude), axis=1))
    pair = {
        "z_lens": rows.redshift,
        "q_lens": rows.q,
        "i_lens": rows.i,
        "g_minus_r_lens": total[:, 0] - total[:, 1],
        "r_minus_i_lens": total[:, 1] - total[:, 2],
    }
    drawn = cosmodc2.lens(pair, 1, torch.arange(len(rows.i)))
    for part in (0, 1):
        major, expected = (
            each.half_light_radius[:, part] / np.sqrt(q[:, part])
            for each, q in ((drawn, drawn.q), (rows, rows.parts_q))
        )
        assert ks_2samp(major, expected).statistic < 0.05
        assert ks_2samp(drawn.q[:, part], rows.parts_q[:, part]).statistic < 0.08
    shares = [10 ** (-0.4 * (each.magnitude[:, 0, 1] - total[:, 1])) for each in (drawn, rows)]
    coarse = [np.where(share < 0.01, 0, np.where(share > 0.99, 1, share)) for share in shares]
    assert ks_2samp(*coarse).statistic < 0.05
