"""Multimodal Universe: images, noise and masks come back from Parquet as they were."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from stamp_files import many
from typer.testing import CliRunner

from lensmill.cli import app
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
from lensmill.survey.run import recorded
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
    known = [
        {"id": stamp.id, "source": stamp.source, "p_lens": 0.25 * n}
        for n, stamp in enumerate(read_all[:3])
    ]
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


def test_objects_of_one_id_get_their_own_rows_by_the_reading_of_the_run(tmp_path):
    """The second cannot be read; it has a row, and no image."""
    images = many(3, "gri")
    images[1] = np.nan
    same = {"image": images, "pixel_scale": 0.2, "ids": ["a", "a", "a"]}
    (tmp_path / "stamps").mkdir()
    np.savez(tmp_path / "stamps/x.npz", **same)
    reading = Reading(psf_fwhm=(0.7, 0.7, 0.9))
    rows = [{"id": "a", "source": "x.npz", "p_lens": p} for p in (0.25, None, 0.75)]
    (tmp_path / "run").mkdir()
    write_catalogue(as_table(rows), tmp_path / "run/catalogue.parquet")
    state = {"bands": ["g", "r", "i"], "reading": recorded(reading)}
    (tmp_path / "run/run.json").write_text(json.dumps(state))
    command = ["export", str(tmp_path / "run"), "--to", "mmu", "--stamps", str(tmp_path / "stamps")]
    done = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    table = pq.read_table(tmp_path / "out/part-00000.parquet")
    assert table["p_lens"].to_pylist() == [0.25, 0.75]
    assert table["image"][0].as_py()[2]["psf_fwhm"] == pytest.approx(0.9)
    refused = CliRunner().invoke(app, [*command, "--psf-fwhm", "1,1,1"])
    assert "psf_fwhm [0.7, 0.7, 0.9], not [1.0, 1.0, 1.0]" in " ".join(refused.output.split())
