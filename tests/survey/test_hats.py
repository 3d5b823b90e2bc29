"""HATS: LSDB opens what we write, with units, and cross-matches it."""

import pytest

from lensmill.survey.export import export

pytestmark = pytest.mark.filterwarnings("ignore")  # dask's and lsdb's own


@pytest.fixture
def lsdb():
    dask = pytest.importorskip("dask")
    with dask.config.set(scheduler="synchronous"):
        yield pytest.importorskip("lsdb")


def test_lsdb_opens_and_cross_matches(lsdb, finished, tmp_path):
    import pandas as pd

    done = export(finished, tmp_path / "hats", "hats")
    assert done.objects == 2  # the broken one has no place on the sky
    catalogue = lsdb.open_catalog(tmp_path / "hats")
    assert sorted(catalogue.compute()["id"]) == ["J01/<a>", "J02"]
    other = pd.DataFrame({"ra": [150.1001, 10.0], "dec": [2.2, 3.0], "z_spec": [0.5, 0.6]})
    known = lsdb.from_dataframe(other, catalog_name="known")
    matched = catalogue.crossmatch(known, radius_arcsec=1, suffixes=("", "_known")).compute()
    assert matched["id"].tolist() == ["J01/<a>"]
    assert matched["z_spec_known"].tolist() == [0.5]
    assert matched["theta_E"].tolist() == pytest.approx([1.25])


def test_without_coordinates_it_says_so(lsdb, finished, tmp_path):
    from lensmill.survey.candidates import finished_run
    from lensmill.survey.hats import write_hats

    table = finished_run(finished).table
    with pytest.raises(ValueError, match="no row has ra and dec"):
        write_hats(table.slice(2), tmp_path / "hats")
