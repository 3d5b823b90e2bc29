"""Multimodal Universe: images, noise and masks come back from Parquet as they were."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from lensmill.grid import Grid
from lensmill.physics.surveys import LSST_10YEAR
from lensmill.simulation.grids import Grids
from lensmill.simulation.observing import Observing
from lensmill.simulation.population.priors import Priors
from lensmill.simulation.shards import read_manifest, read_shard
from lensmill.simulation.simulate import simulate
from lensmill.simulation.simulator import Simulator
from lensmill.survey.catalogue import as_table, write_catalogue
from lensmill.survey.export import export
from lensmill.survey.multimodal import IMAGE
from lensmill.survey.stamps import Reading, find_objects, read

FIELDS = ["band", "flux", "ivar", "mask", "psf_fwhm", "scale"]


@pytest.fixture
def data_set(tmp_path):
    """Seven scenes of 37×41 pixels in shards of four."""
    simulator = Simulator(Priors(), Observing(LSST_10YEAR), Grid((37, 41), 0.2))
    grids = Grids((37, 41), (37, 41), (0.2, 0.2))
    simulate(simulator, grids, tmp_path / "DATA", seed=3, count=7, shard=4)
    return tmp_path / "DATA"


def test_a_data_set(data_set, tmp_path):
    assert export(data_set, tmp_path / "out", "mmu").objects == 7
    paths = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in paths] == ["part-00000.parquet", "part-00001.parquet"]
    truth = read_shard(data_set, read_manifest(data_set), 1)
    rows = pq.read_table(paths[1]).to_pylist()
    assert rows[0]["object_id"] == "train-00001-00000"
    for number, row in enumerate(rows):
        assert [list(band) for band in row["image"]] == [FIELDS] * 3
        assert [band["band"] for band in row["image"]] == ["g", "r", "i"]
        flux = np.array([band["flux"] for band in row["image"]], np.float32)
        np.testing.assert_array_equal(flux, truth["noisy"][number].numpy())
        ivar = np.array([band["ivar"] for band in row["image"]])
        sky = truth["sky_sigma"][number].numpy()[:, None, None] ** 2
        np.testing.assert_allclose(ivar, 1 / (sky + flux.clip(min=0)), rtol=1e-5)
        assert np.all([band["mask"] for band in row["image"]])
        assert row["theta_E"] == pytest.approx(float(truth["theta_E"][number]))
    assert rows[0]["image"][1]["scale"] == pytest.approx(0.2)


def test_parts_of_an_earlier_export_do_not_stay(data_set, tmp_path):
    export(data_set, tmp_path / "out", "mmu")
    with pytest.raises(ValueError, match=r"would keep part-00000.parquet .*empty it"):
        export(data_set, tmp_path / "out", "mmu")


def test_a_data_set_without_images_is_refused(data_set, tmp_path):
    path = data_set / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "images": []}))
    with pytest.raises(ValueError, match="does not store noisy images"):
        export(data_set, tmp_path / "out", "mmu")


def test_the_stamps_of_a_run(stamps, tmp_path):
    """With the run's columns, and no stamp that the run has no row of."""
    read_all = [
        stamp for entry in find_objects(stamps, Reading()) for stamp in read(entry, Reading())
    ]
    known = [{"id": stamp.id, "p_lens": 0.25 * n} for n, stamp in enumerate(read_all[:3])]
    (tmp_path / "run").mkdir()
    write_catalogue(as_table(known), tmp_path / "run/catalogue.parquet")
    (tmp_path / "run/run.json").write_text(json.dumps({"bands": ["g", "r", "i"]}))
    assert export(tmp_path / "run", tmp_path / "out", "mmu", stamps=stamps).objects == 3
    table = pq.read_table(tmp_path / "out/part-00000.parquet")
    assert table.schema.field("image").type.value_type == IMAGE
    assert table.schema.field("theta_E").metadata[b"unit"] == b"arcsec"
    assert table["p_lens"].to_pylist() == [0.0, 0.25, 0.5]
    image = table["image"][2].as_py()[1]
    np.testing.assert_array_equal(np.array(image["flux"], np.float32), read_all[2].image[1])
    assert np.shape(image["mask"]) == (37, 41)
    assert image["ivar"][0][0] == pytest.approx(read_all[2].sky_sigma[1] ** -2, rel=1e-5)
