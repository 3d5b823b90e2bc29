"""Listing: which files of a folder make one object. Only names are looked at."""

import re
from collections import Counter, defaultdict
from pathlib import Path

from lensmill.survey.labels import ARRAY_SUFFIXES, FITS_SUFFIXES, file_label, stem
from lensmill.survey.parquet_layouts import PARQUET_SUFFIXES, holds_images
from lensmill.survey.reading import Entry, Reading
from lensmill.survey.shard_layout import is_shard

FILE_PER_OBJECT = "one FITS file per object"
FILE_PER_BAND = "one FITS file per object and band"
BAND_CUBES = "FITS files named by their band alone"
ARRAYS = "array file"
PARQUET = "Parquet file with a column of images"
SHARD = "shard of lensmill simulate"

SUPPORTED = (
    "FITS (<id>.fits with one HDU or plane per band; <id>_<band>.fits; cubes <band>.fits), "
    "HDF5, .npy or .npz arrays with a sidecar .json or .toml, Parquet with a column of images, "
    "and tiles with a table of positions"
)
NOT_IMAGES = ("parameters.fits",)
"""A table that lies beside the stamps of the LSST lens challenge."""


def list_entries(path: Path, reading: Reading) -> list[Entry]:
    """Entries of a folder and its subfolders, or of one file with its companions; sorted by id.

    ValueError where there is no such path or nothing in it looks like images.
    """
    root, pattern = _where(path)
    entries = _fits_entries(fits_files(path), root, reading)
    entries += [_array_entry(file, root) for file in _files(root, pattern, ARRAY_SUFFIXES)]
    tables = filter(holds_images, _files(root, pattern, PARQUET_SUFFIXES))
    entries += [_entry_of_many(file, root, PARQUET) for file in tables]
    if path.is_file():
        entries = [entry for entry in entries if path in entry.files]
    if not entries:
        raise nothing_found(path)
    return sorted(entries, key=lambda entry: entry.id)


def nothing_found(path: Path) -> ValueError:
    """What there is in `path`, and what could be read."""
    return ValueError(f"{path}: no images; {_census(path)}. Supported: {SUPPORTED}")


def fits_files(path: Path, suffixes: tuple[str, ...] = FITS_SUFFIXES) -> list[Path]:
    """FITS files of a folder and its subfolders, or of the folder of a file."""
    files = _files(*_where(path), suffixes)
    return [file for file in files if file.name.lower() not in NOT_IMAGES]


def _where(path: Path) -> tuple[Path, str]:
    if not path.exists():
        raise ValueError(f"{path}: no such file or folder")
    return (path, "**/*") if path.is_dir() else (path.parent, "*")


def _files(root: Path, pattern: str, suffixes: tuple[str, ...]) -> list[Path]:
    every = (path for path in root.glob(pattern) if path.name.lower().endswith(suffixes))
    return sorted(path for path in every if path.is_file() and path.name[0] not in "._")


def _census(path: Path) -> str:
    """How many files of which suffix there are."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    counts = Counter(file.suffix or "no suffix" for file in files)
    listed = ", ".join(f"{count} × {suffix}" for suffix, count in counts.most_common(8))
    return f"found {listed}" if listed else "the folder is empty"


def _array_entry(file: Path, root: Path) -> Entry:
    return _entry_of_many(file, root, SHARD if is_shard(file) else ARRAYS)


def _entry_of_many(file: Path, root: Path, layout: str) -> Entry:
    source = file.relative_to(root)
    return Entry(source.with_name(stem(file)).as_posix(), layout, (file,), source.as_posix())


def _fits_entries(files: list[Path], root: Path, reading: Reading) -> list[Entry]:
    """Files of one folder whose names say the same object, put together."""
    groups = defaultdict(list)
    for file in files:
        name = file_label(file, reading.bands).id
        groups[file.parent, _key(name)].append(file)
    return [_fits_entry(group, root, reading) for group in groups.values()]


def _key(name: str) -> str:
    return "_".join(re.findall(r"[a-z0-9]+", name.lower()))


def _fits_entry(files: list[Path], root: Path, reading: Reading) -> Entry:
    labels = {file: file_label(file, reading.bands) for file in files}
    files = sorted(files, key=lambda file: (labels[file].kind != "image", file))
    first = labels[files[0]]
    source = files[0].relative_to(root)
    if not first.id:
        folder = files[0].parent
        name = folder.resolve().name if folder == root else source.parent.as_posix()
        return Entry(name, BAND_CUBES, tuple(files), source.as_posix())
    layout = FILE_PER_OBJECT if first.band is None else FILE_PER_BAND
    return Entry(source.with_name(first.id).as_posix(), layout, tuple(files), source.as_posix())
