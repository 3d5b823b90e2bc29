"""Catalogue: the lens systems of a table, whatever its format, units and names."""

import numpy as np
import pytest
import torch
from astropy import units
from astropy.table import Table

from lensmill.simulation.population import Population
from lensmill.simulation.population.catalogue import KEYS, Catalogue
from lensmill.training.build import make
from lensmill.training.recipe import Part

ROWS = 7
INDICES = torch.arange(60)
FORMATS = ("fits", "vot", "ecsv", "csv", "hdf5", "parquet")


def _systems(seed=0, rows=ROWS):
    """A table's columns by our names, in our units."""
    rng = np.random.default_rng(seed)
    low = {"theta_E": 0.6, "x_source": -0.5, "y_source": -0.5}
    columns = {name: rng.uniform(low.get(name, 0.3), 1.0, rows) for name in KEYS}
    columns["z_source"] += 1
    for name in columns:
        if name[:2] in ("g_", "r_", "i_"):
            columns[name] += 20
        if name.startswith("position_angle"):
            columns[name] *= 170
    return columns


def _write(path, columns):
    table = Table(columns)
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        pq.write_table(_arrow(columns), path)
    else:
        options = {"format": "votable"} if path.suffix == ".vot" else {}
        options |= {"path": "lenses"} if path.suffix == ".hdf5" else {}
        table.write(path, **options)
    return str(path)


def _arrow(columns):
    import pyarrow

    return pyarrow.table({name: np.asarray(values) for name, values in columns.items()})


def _turned_back(scene):
    """Source position and angle in the frame of the lens' major axis, from the scenes."""
    phi = scene.foreground.phi[:, 0]
    dx = scene.source.x[:, 0] - scene.mass.x
    dy = scene.source.y[:, 0] - scene.mass.y
    along = dx * torch.cos(phi) + dy * torch.sin(phi)
    across = dy * torch.cos(phi) - dx * torch.sin(phi)
    angle = torch.remainder(scene.source.phi[:, 0] - phi, np.pi)
    return [each.numpy() for each in (along, across, angle)]


def _drawn_rows(scene, columns):
    """Which row of the table each scene is, by its θ_E."""
    return np.abs(scene.mass.theta_E.numpy()[:, None] - columns["theta_E"]).argmin(1)


@pytest.mark.parametrize("suffix", FORMATS)
def test_scenes_are_the_systems_of_the_table_turned_as_a_whole(tmp_path, suffix):
    columns = _systems()
    path = _write(tmp_path / f"lenses.{suffix}", columns)
    scene = Catalogue(
        table=path, lens_fraction=1.0, ellipticity_scatter=0.0, lens_light="de_vaucouleurs"
    ).draw(3, INDICES)
    row = {name: values[_drawn_rows(scene, columns)] for name, values in columns.items()}
    # Angles from +y towards −x: seen from the lens' major axis, (x, y) is (y, −x) turned back.
    turn = np.radians(row["position_angle_lens"])
    along = row["y_source"] * np.cos(turn) - row["x_source"] * np.sin(turn)
    across = -row["x_source"] * np.cos(turn) - row["y_source"] * np.sin(turn)
    found = _turned_back(scene)
    np.testing.assert_allclose(found[0], along, atol=1e-5)
    np.testing.assert_allclose(found[1], across, atol=1e-5)
    apart = np.radians(row["position_angle_source"]) - turn
    np.testing.assert_allclose(np.cos(2 * found[2]), np.cos(2 * apart), atol=1e-5)
    np.testing.assert_allclose(scene.mass.q.numpy(), row["q_lens"], rtol=1e-5)
    np.testing.assert_allclose(scene.redshift_source.numpy(), row["z_source"], rtol=1e-6)
    g, radius = scene.foreground.magnitude[:, 0, 0], scene.source.half_light_radius[:, 0]
    np.testing.assert_allclose(g.numpy(), row["g_lens"], rtol=1e-6)
    np.testing.assert_allclose(radius.numpy(), row["radius_source"], rtol=1e-5)
    assert set(_drawn_rows(scene, columns)) == set(range(ROWS))
    phi = scene.foreground.phi[:, 0]
    assert phi.min() < 0.3
    assert phi.max() > 2.8


def test_angles_from_x_are_ninety_degrees_further_from_y(tmp_path):
    columns = _systems()
    from_y = Catalogue(table=_write(tmp_path / "y.csv", columns))
    for name in ("position_angle_lens", "position_angle_source"):
        columns[name] = columns[name] + 90
    from_x = Catalogue(table=_write(tmp_path / "x.csv", columns), position_angle="from_x")
    first, second = from_y.draw(3, INDICES), from_x.draw(3, INDICES)
    for one, other in zip(_turned_back(first), _turned_back(second), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_units_of_the_file_are_honoured_and_ours_override_them(tmp_path):
    columns = _systems()
    plain = Catalogue(table=_write(tmp_path / "plain.csv", columns))
    table = Table(columns)
    table["theta_E"] = (columns["theta_E"] * units.arcsec).to(units.deg)
    table["position_angle_lens"] = (columns["position_angle_lens"] * units.deg).to(units.rad)
    table["i_lens"].unit = units.mag
    table["r_lens"].unit = units.ABmag
    table["radius_lens"] = columns["radius_lens"] * 1000  # mas, but the file does not say so
    table.write(tmp_path / "units.ecsv")
    told = Catalogue(table=str(tmp_path / "units.ecsv"), units={"radius_lens": "mas"})
    for name, values in plain.rows.items():
        np.testing.assert_allclose(told.rows[name], values, rtol=1e-9, err_msg=name)


def test_columns_may_have_other_names(tmp_path):
    columns = _systems()
    plain = Catalogue(table=_write(tmp_path / "plain.csv", columns))
    names = {name: f"{name.upper()}_TRUE" for name in columns}
    path = _write(tmp_path / "other.fits", {names[name]: columns[name] for name in columns})
    recipe = Part(name="Catalogue", table=path, columns=names)
    np.testing.assert_allclose(make(recipe).rows["theta_E"], plain.rows["theta_E"])


def test_what_a_table_may_leave_out(tmp_path):
    columns = {name: value for name, value in _systems().items() if KEYS[name].needed}
    population = Catalogue(table=_write(tmp_path / "few.csv", columns), lens_fraction=1.0)
    scene = population.draw(3, torch.arange(3000))
    along, across, angle = _turned_back(scene)
    share = (along**2 + across**2) / scene.mass.theta_E.numpy() ** 2
    assert share.max() <= 1.001
    assert share.mean() == pytest.approx(0.5, abs=0.02)
    assert angle.mean() == pytest.approx(np.pi / 2, abs=0.1)
    assert 0.2 <= scene.source.q.min() < scene.source.q.max() <= 1


def test_a_scene_depends_on_seed_and_index_alone(tmp_path):
    population = Catalogue(table=_write(tmp_path / "lenses.csv", _systems()))
    assert isinstance(population, Population)
    whole, few = population.draw(3, INDICES), population.draw(3, torch.tensor([40, 7]))
    assert torch.equal(few.source.x, whole.source.x[[40, 7]])
    assert not torch.equal(population.draw(4, INDICES).source.x, whole.source.x)


def test_rows_without_a_value_are_dropped_and_counted(tmp_path):
    columns = _systems()
    columns["theta_E"][2] = np.nan
    columns["q_lens"][4] = -999.0
    path = _write(tmp_path / "holes.csv", columns)
    with pytest.warns(UserWarning, match=r"2 of 7 rows dropped.*1 in theta_E, 1 in q_lens"):
        population = Catalogue(table=path)
    np.testing.assert_array_equal(population.rows["z_lens"], columns["z_lens"][[0, 1, 3, 5, 6]])


def test_masked_values_are_missing(tmp_path):
    table = Table(_systems(), masked=True)
    table["i_source"].mask[3] = True
    table.write(tmp_path / "masked.ecsv")
    with pytest.warns(UserWarning, match="1 of 7 rows dropped.*1 in i_source"):
        assert len(Catalogue(table=str(tmp_path / "masked.ecsv")).rows["z_lens"]) == ROWS - 1


def _without(name):
    return {key: value for key, value in _systems().items() if key != name}


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        (_without("theta_E"), {}, r"lenses.csv: no column 'theta_E'.*\(columns: theta_E\)"),
        (
            _systems(),
            {"columns": {"theta_E": "thetaE"}},
            r"no column 'thetaE'; did you mean 'theta_E'",
        ),
        (_systems(), {"columns": {"theta": "theta_E"}}, r"columns has no 'theta'; did you mean"),
        (_systems(), {"units": {"zzz": "deg"}}, r"units has no 'zzz'; choices: z_lens"),
        (_systems(), {"units": {"theta_E": "kg"}}, r"column 'theta_E' is in 'kg', not in arcsec"),
        (_systems(), {"units": {"theta_E": "zzz"}}, r"column 'theta_E' is in 'zzz', not in arcsec"),
        (_systems(), {"units": {"i_lens": "nJy"}}, r"column 'i_lens' is in 'nJy', not in mag"),
        (_systems(), {"position_angle": "y"}, r"position_angle has no 'y'.*from_y"),
        (_without("x_source"), {}, r"x_source and y_source go together"),
        ({**_systems(), "q_lens": np.full(ROWS, 2.0)}, {}, r"no row can be used.*7 in q_lens"),
        ({**_systems(), "q_lens": np.full(ROWS, "round")}, {}, r"'q_lens' is not of numbers"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, columns, options, message):
    path = _write(tmp_path / "lenses.csv", columns)
    with pytest.raises(ValueError, match=message):
        Catalogue(table=path, **options)


def test_a_table_that_is_none(tmp_path):
    with pytest.raises(ValueError, match=r"no table .*missing.fits"):
        Catalogue(table=str(tmp_path / "missing.fits"))
    (tmp_path / "text.parquet").write_text("no parquet")
    with pytest.raises(ValueError, match=r"text.parquet is no table that can be read"):
        Catalogue(table=str(tmp_path / "text.parquet"))


def test_plain_arrays_in_hdf5(tmp_path):
    import h5py

    columns = _systems()
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        for name, values in columns.items():
            file.create_dataset(f"lenses/{name}", data=values)
        file["lenses/theta_E"][:] = columns["theta_E"] / 60
        file["lenses/theta_E"].attrs["unit"] = "arcmin"
    rows = Catalogue(table=str(tmp_path / "plain.h5")).rows
    np.testing.assert_allclose(rows["theta_E"], columns["theta_E"])


LENSPOP_25 = """\
#Lens population
#[0] zl, lens redshift
0.77 3.11 1.26 273.8 0.756 0.74 24.29 21.95 20.51 0.17 0.19 0.689 98.0 0.25 27.22 26.81 26.80 \
9.38 1.905 12.41 1.905 19.37 1.905 12.91 0.00
0.09 1.12 3.60 373.7 0.367 3.55 13.73 12.68 12.30 1.06 -0.82 0.847 81.3 0.00 22.12 21.83 21.72 \
4.20 1.905 100.04 1.905 123.35 1.905 104.58 57.39
"""
LENSPOP_24 = """\
0.77 3.11 1.26 273.8 0.756 0.74 0.17 0.19 0.689 98.0 0.25 9.38 24.29 27.22 1.01 15.61 21.95 26.81 \
1.01 35.00 20.51 26.80 1.01 16.67
0.09 1.12 3.60 373.7 0.367 3.55 1.06 -0.82 0.847 81.3 0.00 4.20 13.73 22.12 1.01 15.61 12.68 21.83 \
1.01 35.00 12.30 21.72 1.01 16.67
"""


@pytest.mark.parametrize("text", [LENSPOP_25, LENSPOP_24])
def test_both_layouts_of_lenspop(tmp_path, text):
    (tmp_path / "lenses.txt").write_text(text)
    rows = Catalogue(table=str(tmp_path / "lenses.txt")).rows
    expected = {
        "z_lens": [0.77, 0.09],
        "theta_E": [1.26, 3.6],
        "q_lens": [0.756, 0.367],
        "radius_lens": [0.74, 3.55],
        "g_lens": [24.29, 13.73],
        "r_lens": [21.95, 12.68],
        "i_lens": [20.51, 12.3],
        "x_source": [0.17, 1.06],
        "y_source": [0.19, -0.82],
        "position_angle_source": [8.0, -8.7],  # from +x in the list, from +y here
        "radius_source": [0.25, 0.005],  # rounded to nothing in the list
        "g_source": [27.22, 22.12],
        "r_source": [26.81, 21.83],
        "i_source": [26.80, 21.72],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(rows[name], values, err_msg=name)
