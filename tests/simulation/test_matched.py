"""Matched: every galaxy takes the light of a row of cosmoDC2 that is like it."""

import numpy as np
import pytest
import torch
from astropy.table import Table

from lensmill.simulation.population.matched import Matched
from lensmill.simulation.population.priors import Priors

COUNT = 300
INDICES = torch.arange(COUNT)
PAIR = Priors().pairs(3, INDICES)


def _rows(count=20_000, seed=0):
    """Columns of a table like cosmoDC2's, about sources of the priors."""
    rng = np.random.default_rng(seed)
    bulge, disk = rng.uniform(0.05, 0.4, count), rng.uniform(0.1, 0.8, count)
    i = rng.uniform(19, 30, count)
    share = rng.choice([0.0, 1.0, 0.3], count) * rng.uniform(0.5, 1, count)
    return {
        "redshift_true": rng.uniform(0.2, 7, count),
        "mag_true_g_lsst": i + rng.uniform(0, 1.5, count),
        "mag_true_r_lsst": i + rng.uniform(0, 0.8, count),
        "mag_true_i_lsst": i,
        "bulge_to_total_ratio_i": share,
        "size_bulge_true": bulge,
        "size_minor_bulge_true": bulge * rng.uniform(0.5, 1, count),
        "size_disk_true": disk,
        "size_minor_disk_true": disk * rng.uniform(0.2, 1, count),
        "position_angle_true": rng.uniform(0, 180, count),
    }


def _written(folder, columns, name="cosmodc2.ecsv"):
    Table(columns).write(folder / name, overwrite=True)
    return str(folder / name)


def _flatness(magnitude, q):
    """q of the whole light: ε weighted with the flux in i."""
    flux = 10 ** (-0.4 * magnitude[..., 2])
    epsilon = np.sum(flux * (1 - q**2) / (1 + q**2), 1) / flux.sum(1)
    return np.sqrt((1 - epsilon) / (1 + epsilon))


def test_a_match_is_a_row_within_the_tolerances(tmp_path):
    columns = _rows()
    light = Matched(role="source", table=_written(tmp_path, columns))(PAIR, 3, INDICES)
    radius = np.sqrt(columns["size_disk_true"] * columns["size_minor_disk_true"])
    apart = np.abs(light.half_light_radius[:, 1, None] - radius)
    row = apart.argmin(1)
    assert apart.min(1).max() < 1e-9
    within = 16.0  # times the tolerances: the most that four doublings allow
    redshift = columns["redshift_true"][row]
    assert np.abs(np.log10(redshift / PAIR["z_source"])).max() <= 0.05 * within
    assert np.median(np.abs(np.log10(redshift / PAIR["z_source"]))) < 0.05
    assert np.median(np.abs(columns["mag_true_i_lsst"][row] - PAIR["i_source"])) < 0.05
    assert np.median(np.abs(_flatness(light.magnitude, light.q) - PAIR["q_source"])) < 0.1
    colour = columns["mag_true_g_lsst"] - columns["mag_true_i_lsst"]
    total = -2.5 * np.log10(np.sum(10 ** (-0.4 * light.magnitude), axis=1))
    np.testing.assert_allclose(total[:, 2], PAIR["i_source"], atol=1e-9)
    np.testing.assert_allclose(total[:, 0] - total[:, 2], colour[row], atol=1e-9)
    share = 10 ** (-0.4 * (light.magnitude[:, 0, 1] - total[:, 1]))
    np.testing.assert_allclose(share, columns["bulge_to_total_ratio_i"][row], atol=1e-9)


def _alike(count):
    """Rows that nothing but their size tells apart."""
    columns = _rows(count)
    for name, value in (("redshift_true", 2.0), ("mag_true_i_lsst", 26.0)):
        columns[name] = np.full(count, value)
    for part in ("bulge", "disk"):
        columns[f"size_{part}_true"] = 0.1 + 0.01 * np.arange(count)
        columns[f"size_minor_{part}_true"] = columns[f"size_{part}_true"] * 0.7
    return columns


def _scenes(count):
    """Pairs that are all alike."""
    one = {"z_source": 2.0, "i_source": 26.0, "q_source": 0.7}
    return {name: np.full(count, value) for name, value in one.items()}


@pytest.mark.parametrize("count", [16, 21, 100])
def test_no_row_is_used_twice_before_all_are(tmp_path, count):
    model = Matched(role="source", table=_written(tmp_path, _alike(count)))
    for start in (0, 3 * count + 5):
        indices = torch.arange(start, start + count)
        radius = model(_scenes(count), 3, indices).half_light_radius[:, 0]
        assert len(np.unique(radius.round(9))) == count
    other = model(_scenes(count), 4, indices).half_light_radius[:, 0]
    assert not np.array_equal(radius, other)


def test_a_match_depends_on_seed_and_index_alone(tmp_path):
    model = Matched(role="source", table=_written(tmp_path, _rows()))
    whole = model(PAIR, 3, INDICES)
    few = model({name: value[[50, 7]] for name, value in PAIR.items()}, 3, INDICES[[50, 7]])
    np.testing.assert_array_equal(few.half_light_radius, whole.half_light_radius[[50, 7]])


def test_scenes_turn_the_match_to_the_pair_whatever_angle_the_table_gives(tmp_path):
    """Neither the sign nor the zero of cosmoDC2's position angles enters."""
    columns = _rows()
    scenes = []
    for name, angle in (("a.ecsv", 1), ("b.ecsv", -1)):
        columns["position_angle_true"] = (angle * columns["position_angle_true"]) % 180
        match = {"table": _written(tmp_path, columns, name)}
        scenes.append(Priors(source_light=match, empty_fraction=0.5).draw(3, INDICES))
    first, second = scenes
    plain = Priors(empty_fraction=0.5).draw(3, INDICES)
    for scene in scenes:
        assert torch.equal(scene.source.phi, plain.source.phi.expand(-1, 2))
        assert not scene.source.magnitude.isnan().any()
    assert torch.equal(first.source.half_light_radius, second.source.half_light_radius)
    assert torch.equal(first.source.q, second.source.q)
    gone = plain.source.magnitude.isinf().all((1, 2))
    assert gone.any()
    assert torch.equal(first.source.magnitude.isinf().all((1, 2)), gone)


def test_brightened_sources_keep_their_match_and_shine_as_bright(tmp_path):
    match = {"table": _written(tmp_path, _rows())}
    plain = Priors(source_light=match, lens_fraction=1.0).draw(3, INDICES)
    bright = Priors(source_light=match, lens_fraction=1.0, brightening=2.0).draw(3, INDICES)
    assert torch.equal(plain.source.half_light_radius, bright.source.half_light_radius)
    gain = (plain.source.magnitude - bright.source.magnitude).nan_to_num(nan=1.0)
    assert gain.min() >= -1e-4
    assert gain.max() <= 2.0001


def test_rows_without_size_or_magnitude_are_left_out(tmp_path):
    columns = _alike(20)
    columns["size_disk_true"][:5] = np.nan
    columns["mag_true_g_lsst"][5:8] = np.inf
    columns["bulge_to_total_ratio_i"][:] = 0.5
    assert len(Matched(role="source", table=_written(tmp_path, columns)).rows.i) == 12
    columns["bulge_to_total_ratio_i"][:5] = 1.0  # no disk, so that its size is of no matter
    assert len(Matched(role="source", table=_written(tmp_path, columns)).rows.i) == 17


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tabel": "x"}, r"source_light: a match has no 'tabel'; did you mean 'table'"),
        ({"doublings": 1}, r"source_light: a match needs a table"),
        ({"table": "missing.fits"}, r"no table missing.fits"),
    ],
)
def test_a_recipes_mistakes_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        Priors(source_light=options)


def test_where_nothing_matches_the_galaxy_is_named(tmp_path):
    table = _written(tmp_path, _alike(20))
    with pytest.raises(ValueError, match=r"no row is like the lens with z = .*4 times the toler"):
        Priors(lens_light={"table": table, "doublings": 2}).draw(3, INDICES)
    with pytest.raises(ValueError, match=r"no column 'mag_i_lsst'; did you mean"):
        Matched(role="lens", table=table, columns={"i": "mag_i_lsst"})
    with pytest.raises(ValueError, match=r"columns has no 'z'; choices: redshift"):
        Matched(role="lens", table=table, columns={"z": "redshift_true"})


def test_another_table_of_the_same_name_is_another_population(tmp_path):
    """As a data set's digest, which is of this repr, has to know."""
    first = Priors(source_light={"table": _written(tmp_path, _rows(50))})
    same = Priors(source_light={"table": _written(tmp_path, _rows(50))})
    other = Priors(source_light={"table": _written(tmp_path, _rows(50, seed=1))})
    assert repr(first) == repr(same) != repr(other)
    assert Priors().tables == ()
