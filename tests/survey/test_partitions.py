"""Partitions: every object in one of them and in no other, long files among several."""

from stamp_files import many, write_hdf5

from lensmill.survey.partitions import partitions
from lensmill.survey.stamps import Reading, find_objects, read

READING = Reading(pixel_scale=0.2)


def _names(entries):
    return [item.id for entry in entries for item in read(entry, READING)]


def test_entries_stay_in_order_and_none_is_lost(tmp_path):
    for number in range(5):
        write_hdf5(tmp_path / f"{number}.h5", image=many(2, "gri"))
    entries = find_objects(tmp_path, READING)
    made = partitions(entries, 5)
    assert [partition.number for partition in made] == [0, 1, 2]
    assert [partition.first for partition in made] == [0, 4, 8]
    assert [entry for partition in made for entry in partition.entries] == entries


def test_a_long_file_is_divided_and_its_objects_keep_their_names(tmp_path):
    write_hdf5(tmp_path / "a.h5", image=many(2, "gri"))
    write_hdf5(tmp_path / "long.h5", image=many(12, "gri"))
    entries = find_objects(tmp_path, READING)
    made = partitions(entries, 5)
    assert [partition.objects for partition in made] == [2, 5, 5, 2]
    assert [name for each in made for name in _names(each.entries)] == _names(entries)


def test_parts_of_a_file_that_cannot_be_read_have_names_of_their_own(tmp_path):
    write_hdf5(tmp_path / "long.h5", image=many(12, "gr"), bands=["g", "r"])
    made = partitions(find_objects(tmp_path, READING), 5)
    names = [name for each in made for name in _names(each.entries)]
    assert names == ["long[0:5]", "long[5:10]", "long[10:12]"]
