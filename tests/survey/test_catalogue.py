"""A catalogue reads back in every format, with units."""

import pytest
from astropy.table import QTable, Table

from lensmill.survey.catalogue import COLUMNS, as_table, write_catalogue

ROWS = [
    {"id": "<b>α</b>", "p_lens": 0.25, "theta_E": 1.5, "psf_fwhm": [0.8, 0.75], "flags": "a;b"},
    {"id": "broken", "reason": "not FITS"},
]


@pytest.mark.parametrize("suffix", [".ecsv", ".vot", ".fits"])
def test_values_units_and_nulls_survive(tmp_path, suffix):
    path = tmp_path / f"catalogue{suffix}"
    write_catalogue(as_table(ROWS[:1] if suffix == ".fits" else ROWS), path)
    table = Table.read(path)
    assert set(table.colnames) == {column.name for column in COLUMNS}
    assert float(table["theta_E"][0]) == pytest.approx(1.5)
    assert str(table["theta_E"].unit) == "arcsec"
    assert float(QTable(table[["theta_E"]])["theta_E"][0].to_value("mas")) == pytest.approx(1500)


def test_parquet_keeps_lists_nulls_and_metadata(tmp_path):
    import pyarrow.parquet as pq

    write_catalogue(as_table(ROWS), tmp_path / "c.parquet")
    table = pq.read_table(tmp_path / "c.parquet")
    assert table["psf_fwhm"].to_pylist()[0] == pytest.approx([0.8, 0.75])
    assert table["p_lens"].to_pylist() == [0.25, None]
    assert table.schema.field("theta_E").metadata[b"unit"] == b"arcsec"
    assert [p.name for p in tmp_path.iterdir()] == ["c.parquet"]


def test_how_unusual_an_object_is_has_its_column():
    assert as_table([{"id": "a", "ood": 0.5}])["ood"].to_pylist() == [0.5]


def test_an_unknown_suffix_names_the_choices(tmp_path):
    with pytest.raises(ValueError, match=r"'c\.tsv'; suffixes: \.parquet"):
        write_catalogue(as_table(ROWS), tmp_path / "c.tsv")


def test_units_are_units():
    from astropy import units

    for column in COLUMNS:
        units.Unit(column.unit)


def test_ucds_are_ucds():
    from astropy.io.votable.ucd import check_ucd

    for column in COLUMNS:
        assert check_ucd(column.ucd or None, check_controlled_vocabulary=True), column.name
