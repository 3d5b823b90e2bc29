"""Stamps in Parquet, in every kind of list, and in the shards of `lensmill simulate`."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from stamp_files import SCALE, SHAPE, SIGMA, assert_bands, many, only, read_all

from lensmill.grid import Grid
from lensmill.physics.surveys import LSST_10YEAR
from lensmill.simulation.grids import Grids
from lensmill.simulation.observing import Observing
from lensmill.simulation.population.priors import Priors
from lensmill.simulation.shards import read_manifest, read_shard
from lensmill.simulation.simulate import simulate
from lensmill.simulation.simulator import Simulator
from lensmill.survey.stamps import Reading, Unreadable, count_objects, find_objects, read

BANDS = "zirg"
PIXEL = pa.list_(pa.list_(pa.float32()))
BAND = {
    "band": pa.string(),
    "flux": PIXEL,
    "ivar": PIXEL,
    "mask": pa.list_(pa.list_(pa.bool_())),
    "psf_fwhm": pa.float32(),
    "scale": pa.float32(),
}


def bands_of(number):
    """The bands of object `number` as the Multimodal Universe has them, pixel (3, 4) masked."""
    good = np.ones(SHAPE, bool)
    good[3, 4] = False
    return [
        {
            "band": f"hsc-{band}",
            "flux": image.tolist(),
            "ivar": np.full(SHAPE, SIGMA[band] ** -2).tolist(),
            "mask": good.tolist(),
            "psf_fwhm": 0.9,
            "scale": SCALE,
        }
        for band, image in zip(BANDS, many(5, BANDS)[number], strict=True)
    ]


def turned(bands):
    return {name: [band[name] for band in bands] for name in BAND}


def write_universe(path, turn, count=5):
    """As the schema says, list<struct>; or turned over, struct<list>, as `datasets` writes it."""
    rows = [bands_of(number) for number in range(count)]
    kind = pa.list_(pa.struct(list(BAND.items())))
    if turn:
        kind = pa.struct([(name, pa.list_(part)) for name, part in BAND.items()])
        rows = [turned(row) for row in rows]
    columns = {
        "image": pa.array(rows, kind),
        "object_id": [f"o{number}" for number in range(count)],
        "ra": [150.0 + number for number in range(count)],
        "dec": [2.0] * count,
    }
    pq.write_table(pa.table(columns), path, row_group_size=2)


@pytest.mark.parametrize("turn", [False, True])
def test_the_multimodal_universe(tmp_path, turn):
    write_universe(tmp_path / "mmu.parquet", turn)
    items = read_all(tmp_path)
    assert [item.id for item in items] == [f"o{number}" for number in range(5)]
    for number, item in enumerate(items):
        others = np.ones(SHAPE, bool)
        others[3, 4] = False
        full = many(5, "gri")[number]
        np.testing.assert_allclose(item.image[:, others], full[:, others], rtol=1e-5)
        assert np.argwhere(item.bad).tolist() == [[0, 3, 4], [1, 3, 4], [2, 3, 4]]
        assert item.flags == ("bad_pixels_filled",)
        assert (item.ra, item.dec) == (150.0 + number, 2.0)
        assert item.pixel_scale == pytest.approx(SCALE)
        np.testing.assert_allclose(item.psf_fwhm, 0.9)
        np.testing.assert_allclose(item.sky_sigma, [2, 3, 5], rtol=1e-5)


def test_bands_of_unlike_pixels(tmp_path):
    """Those of a band that nobody asks for are not looked at."""
    rows = [
        [{**band, "scale": s} for band, s in zip(bands_of(0), (0.9, *rest), strict=True)]
        for rest in ((0.4, SCALE, SCALE), (SCALE, SCALE, SCALE))
    ]
    kind = pa.list_(pa.struct(list(BAND.items())))
    pq.write_table(pa.table({"image": pa.array(rows, kind)}), tmp_path / "a.parquet")
    bad, good = read_all(tmp_path)
    assert bad.flag == "scale_mismatch"
    assert "g 0.2000″, r 0.2000″, i 0.4000″" in bad.reason
    assert good.pixel_scale == pytest.approx(SCALE)
    assert read_all(tmp_path, pixel_scale=0.3)[0].pixel_scale == 0.3


def test_rows_are_read_from_their_row_groups_alone(tmp_path):
    write_universe(tmp_path / "mmu.parquet", False)
    (entry,) = find_objects(tmp_path, Reading())
    assert count_objects(entry) == 5
    for rows in ((0, 2), (1, 4), (3, 9)):
        part = replace(entry, rows=rows)
        expected = [f"o{number}" for number in range(rows[0], min(rows[1], 5))]
        assert [item.id for item in read(part, Reading())] == expected


def columns_of(kind, count=3):
    images = many(count, BANDS)
    flat = pa.array(images.ravel())
    if kind == "nested":
        return {"image": pa.array(images.tolist(), pa.list_(PIXEL))}
    if kind == "fixed":
        rows = pa.FixedSizeListArray.from_arrays(flat, SHAPE[1])
        bands = pa.FixedSizeListArray.from_arrays(rows, SHAPE[0])
        return {"image": pa.FixedSizeListArray.from_arrays(bands, len(BANDS))}
    size = images[0].size
    whole = pa.FixedSizeListArray.from_arrays(flat, size)
    return {"image": whole, "shape": [list(images[0].shape)] * count}


@pytest.mark.parametrize("kind", ["nested", "fixed", "flat"])
def test_nested_fixed_and_flat_lists(tmp_path, kind):
    sigma = [[SIGMA[band] for band in BANDS]] * 3
    extra = {"bands": [list(BANDS)] * 3, "sky_sigma": sigma, "pixel_scale": [SCALE] * 3}
    pq.write_table(pa.table({**columns_of(kind), **extra}), tmp_path / "a.parquet")
    items = read_all(tmp_path)
    assert [item.id for item in items] == ["a_0", "a_1", "a_2"]
    for number, item in enumerate(items):
        assert_bands(item, seed=number)
        np.testing.assert_allclose(item.sky_sigma, [2, 3, 5])


def test_bands_from_a_sidecar_and_square_flat_images(tmp_path):
    images = many(2, "gri")[:, :, :40, :40]
    flat = pa.FixedSizeListArray.from_arrays(pa.array(images.ravel()), images[0].size)
    pq.write_table(pa.table({"image": flat}), tmp_path / "a.parquet")
    (tmp_path / "a.toml").write_text('bands = "gri"\npixel_scale = 0.2\n')
    items = read_all(tmp_path)
    np.testing.assert_allclose(items[1].image, images[1], rtol=1e-5)


def test_a_bad_row_is_a_row_with_a_reason(tmp_path):
    good = bands_of(0)
    ragged = [{**band, "flux": [[1.0, 2.0], [3.0]]} for band in good]
    kind = pa.list_(pa.struct(list(BAND.items())))
    rows = pa.array([good, None, ragged, good[:2], [], good], kind)
    pq.write_table(pa.table({"image": rows, "id": [5, 6, 7, 8, 9, 10]}), tmp_path / "a.parquet")
    items = read_all(tmp_path)
    assert [item.id for item in items] == ["5", "6", "7", "8", "9", "10"]
    flags = [item.flag if isinstance(item, Unreadable) else "" for item in items]
    assert flags[:4] == ["", "no_image", "bad_shape", "missing_band"]
    assert flags[4]
    assert flags[5] == ""


def test_tables_beside_the_stamps_are_no_stamps(tmp_path):
    write_universe(tmp_path / "mmu.parquet", False, count=2)
    pq.write_table(pa.table({"id": [1], "z": [0.5]}), tmp_path / "catalogue.parquet")
    write_universe(tmp_path / "data_thumbnail.parquet", False, count=2)
    (tmp_path / "broken.parquet").write_text("not Parquet")
    items = read_all(tmp_path)
    assert [item.id for item in items] == ["broken", "o0", "o1"]
    assert "broken.parquet" in items[0].reason


def test_an_image_of_another_kind(tmp_path):
    pictures = pa.array([{"bytes": b"PNG", "path": "a"}] * 2)
    pq.write_table(pa.table({"image": pictures}), tmp_path / "a.parquet")
    assert all(isinstance(item, Unreadable) for item in read_all(tmp_path))


@pytest.fixture(scope="module")
def data_set(tmp_path_factory):
    """Seven simulated systems in shards of four, and the seven scenes alone."""
    folder = tmp_path_factory.mktemp("simulated")
    simulator = Simulator(Priors(), Observing(LSST_10YEAR), Grid((37, 41), 0.2))
    grids = Grids((37, 41), (37, 41), (0.2, 0.2))
    for name, images in (("whole", ("noisy", "clean", "source")), ("scenes", ())):
        out, recipe = folder / name, {"shape": [37, 41]}
        simulate(simulator, grids, out, seed=3, count=7, shard=4, images=images, recipe=recipe)
    return folder


def test_shards_of_simulate_are_in_image_units_again(data_set):
    items = read_all(data_set / "whole")
    assert [item.id for item in items] == [f"train_{number:07d}" for number in range(7)]
    manifest = read_manifest(data_set / "whole")
    batch = read_shard(data_set / "whole", manifest, 1)
    for row, item in enumerate(items[4:]):
        np.testing.assert_allclose(item.image, batch["noisy"][row], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(item.sky_sigma, batch["sky_sigma"][row], rtol=1e-5)
        np.testing.assert_allclose(item.psf_fwhm, batch["psf_fwhm"][row], rtol=1e-5)
        assert item.pixel_scale == pytest.approx(0.2)
        assert item.flags == ()


def test_a_part_of_a_shard(data_set):
    first = find_objects(data_set / "whole", Reading())[0]
    assert count_objects(first) == 4
    names = [item.id for item in read(replace(first, rows=(1, 3)), Reading())]
    assert names == ["train_0000001", "train_0000002"]


def test_scenes_without_images(data_set):
    flags = {item.flag for item in read_all(data_set / "scenes")}
    assert flags == {"no_image"}


def test_a_damaged_shard(data_set, tmp_path):
    for path in (data_set / "whole").glob("*0000*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "manifest.json").write_bytes((data_set / "whole/manifest.json").read_bytes())
    (tmp_path / "shard-00001.h5").unlink()
    (tmp_path / "shard-00001.sha256").unlink()
    whole = (tmp_path / "shard-00000.h5").read_bytes()
    (tmp_path / "shard-00000.h5").write_bytes(whole[:-4] + b"oops")
    assert "is damaged" in only(tmp_path).reason
