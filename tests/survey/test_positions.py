"""Tables of positions, whatever they are called and written in."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table

from lensmill.survey.positions import read_positions

RA, DEC = [10.5, 350.25, 0.0], [-30.0, 45.5, 89.0]


@pytest.mark.parametrize("suffix", ["csv", "ecsv", "vot", "fits", "parquet"])
def test_every_format(tmp_path, suffix):
    path = tmp_path / f"p.{suffix}"
    table = Table({"id": ["a", "b", "c"], "ra": RA, "dec": DEC})
    options = {"format": "votable"} if suffix == "vot" else {}
    table.write(path, **options)
    assert read_positions(path) == list(zip("abc", RA, DEC, strict=True))


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        (("objectId", "coord_ra", "coord_dec"), ["7", "8", "9"]),
        (("COADD_OBJECT_ID", "ALPHAWIN_J2000", "DELTAWIN_J2000"), ["7", "8", "9"]),
        (("other", "RA", "Dec"), ["0", "1", "2"]),
    ],
)
def test_every_survey_s_names(tmp_path, names, ids):
    Table([[7, 8, 9], RA, DEC], names=names).write(tmp_path / "p.fits")
    found = read_positions(tmp_path / "p.fits")
    assert [position.id for position in found] == ids
    assert [position.dec for position in found] == DEC


def test_radians_are_converted_and_only_what_is_used_is_read(tmp_path):
    columns = {"id": [b"x", b"y"], "ra": np.radians([1.0, 2.0]), "dec": np.radians([3.0, 4.0])}
    fields = [pa.field("id", pa.binary()), pa.field("ra", pa.float64(), metadata={"unit": "rad"})]
    fields += [pa.field("dec", pa.float64(), metadata={"unit": "rad"}), pa.field("z", pa.int8())]
    table = pa.table({**columns, "z": [1, 2]}, schema=pa.schema(fields))
    pq.write_table(table, tmp_path / "p.parquet")
    first, second = read_positions(tmp_path / "p.parquet")
    assert (first.id, second.id) == ("x", "y")
    np.testing.assert_allclose(first[1:] + second[1:], (1, 3, 2, 4))


def test_an_id_that_is_missing_is_the_rows_number_and_changes_no_other(tmp_path):
    large = 3405226098371235001
    table = pa.table({"objectId": [large, None], "ra": RA[:2], "dec": DEC[:2]})
    pq.write_table(table, tmp_path / "p.parquet")
    assert [each.id for each in read_positions(tmp_path / "p.parquet")] == [str(large), "1"]


def test_ids_of_csv_are_as_they_are_written(tmp_path):
    (tmp_path / "p.csv").write_text("ra, id ,dec\n1.5,0007,2.5\n\n1.5,,2.5\n1.5, 1e3,2.5\n")
    assert [each.id for each in read_positions(tmp_path / "p.csv")] == ["0007", "1", "1e3"]


def test_a_missing_value_is_nan(tmp_path):
    (tmp_path / "p.csv").write_text("ra,dec\n1.5,2.5\n,3.5\n")
    second = read_positions(tmp_path / "p.csv")[1]
    assert np.isnan(second.ra)
    assert second.dec == 3.5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x,y\n1,2\n", r"p\.csv: no column 'ra' .*it has x, y"),
        ("ra,dec\n", "without a row"),
        ("ra,dec\nhere,there\n", "not of numbers"),
    ],
)
def test_tables_of_no_use(tmp_path, text, words):
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(ValueError, match=words):
        read_positions(tmp_path / "p.csv")


def test_no_table_and_a_broken_one(tmp_path):
    with pytest.raises(ValueError, match="no table"):
        read_positions(tmp_path / "p.parquet")
    (tmp_path / "p.parquet").write_text("not Parquet")
    with pytest.raises(ValueError, match="no table that can be read"):
        read_positions(tmp_path / "p.parquet")


def test_a_hats_catalogue_without_lsdb_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "lsdb", None)
    with pytest.raises(ValueError, match=r"pip install 'lensmill\[hats\]'"):
        read_positions(tmp_path)


@pytest.mark.filterwarnings("ignore")
def test_a_hats_catalogue(tmp_path):
    lsdb = pytest.importorskip("lsdb")
    import pandas as pd

    frame = pd.DataFrame({"objectId": [1, 2, 3], "ra": RA, "dec": DEC, "other": [0, 0, 0]})
    catalogue = lsdb.from_dataframe(frame, ra_column="ra", dec_column="dec")
    catalogue.write_catalog(tmp_path / "hats")
    found = read_positions(tmp_path / "hats")
    assert sorted(found) == sorted(zip("123", RA, DEC, strict=True))
