"""Listing: which files of a folder make one object. Only names are looked at."""

import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from lensmill.survey.labels import (
    ARRAY_SUFFIXES,
    FITS_SUFFIXES,
    Label,
    file_label,
    match_band,
    stem,
)
from lensmill.survey.parquet_layouts import PARQUET_SUFFIXES, holds_images
from lensmill.survey.reading import Entry, Reading
from lensmill.survey.shard_layout import is_shard

FILE_PER_OBJECT = "one FITS file per object"
FILE_PER_BAND = "one FITS file per object and band"
BAND_FOLDERS = "a folder of FITS files per band"
BAND_CUBES = "FITS files named by their band alone"
ARRAYS = "array file"
PARQUET = "Parquet file with a column of images"
SHARD = "shard of lensmill simulate"

SUPPORTED = (
    "FITS (<id>.fits with one HDU or plane per band; <id>_<band>.fits; "
    "<band>/<id>.fits; cubes <band>.fits), "
    "HDF5, .npy or .npz arrays with a sidecar .json or .toml, Parquet with a column of images, "
    "and tiles with a table of positions"
)
NOT_IMAGES = ("parameters.fits",)
"""A table that lies beside the stamps of the LSST lens challenge."""
RUN = "run.json"

Listed = tuple[Path, list[str], list[str]]


def list_entries(path: Path, reading: Reading) -> list[Entry]:
    """Entries of a folder and its subfolders, or of one file with its companions; sorted by id.

    ValueError where there is no such path or nothing in it looks like images.
    """
    root = path if path.is_dir() else path.parent
    entries = _fits_entries(fits_files(path), root, reading)
    entries += [_array_entry(file, root) for file in _files(path, ARRAY_SUFFIXES)]
    tables = filter(holds_images, _files(path, PARQUET_SUFFIXES))
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
    files = _files(path, suffixes)
    return [file for file in files if file.name.lower() not in NOT_IMAGES]


def _files(path: Path, suffixes: tuple[str, ...]) -> list[Path]:
    if not path.exists():
        raise ValueError(f"{path}: no such file or folder")
    folders = _folders(path) if path.is_dir() else [_listed(path.parent)]
    every = (folder / name for folder, _, names in folders for name in names)
    named = (file for file in every if file.name.lower().endswith(suffixes))
    return sorted(file for file in named if file.name[0] not in "._" and file.is_file())


def _folders(root: Path) -> Iterator[Listed]:
    """`root` and its subfolders, each once, without those of runs; links are followed last."""
    seen: set[Path] = set()
    own, linked = [root], list[Path]()
    while own or linked:
        folder = own.pop() if own else linked.pop()
        where, listed = folder.resolve(), _listed(folder)
        if where in seen or (folder != root and RUN in listed[2] and _is_run(folder)):
            continue
        seen.add(where)
        yield listed
        for each in sorted((folder / name for name in listed[1]), reverse=True):
            (linked if each.is_symlink() else own).append(each)


def _listed(folder: Path) -> Listed:
    """`folder`, and the names of the folders and files in it; none where it may not be read."""
    _, folders, files = next(os.walk(folder), ("", [], []))
    return folder, folders, files


def _is_run(folder: Path) -> bool:
    """Whether lensmill wrote `folder`: its pictures are no objects."""
    try:
        return "lensmill" in json.loads((folder / RUN).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


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
    """Files whose names say the same object, put together: of one folder, or one of each band."""
    labels = {file: file_label(file, reading.bands) for file in files}
    of_bands = _band_folders(labels, root, reading.bands)
    groups = defaultdict(list)
    for file, label in labels.items():
        folder = file.parent.parent if file.parent in of_bands else file.parent
        groups[folder, file.parent in of_bands, _key(label.id)].append(file)
    return [
        _fits_entry(part, root, labels, split)
        for (_, split, _), group in groups.items()
        for part in _objects(group, labels, split)
    ]


def _band_folders(labels: dict[Path, Label], root: Path, bands: tuple[str, ...]) -> set[Path]:
    """Folders that are named by a band, hold nothing of another, and have the like beside them."""
    inside = defaultdict(list)
    for file, label in labels.items():
        inside[file.parent].append(label)
    named = {
        folder
        for folder, those in inside.items()
        if (band := match_band(folder.name, bands)) in bands
        and folder != root
        and all(label.id and label.band in (None, band) for label in those)
    }
    beside = Counter(folder.parent for folder in named)
    return {folder for folder in named if beside[folder.parent] > 1}


def _key(name: str) -> str:
    """`name` with one separator; a sign (J033056-522813) is none."""
    return "_".join(filter(None, re.split(r"[_.]|(?<!\d)-|-(?!\d)", name)))


def _objects(files: list[Path], labels: dict[Path, Label], split: bool) -> Iterable[list[Path]]:
    """`files` whose names are alike, as one object; if two are of one band, by their exact ids."""
    images = [file for file in files if labels[file].kind == "image"]
    of = Counter(file.parent if split else labels[file].band for file in images)
    if max(of.values(), default=0) < 2:
        return [files]
    groups = defaultdict(list)
    for file in files:
        groups[labels[file].id].append(file)
    return groups.values()


def _fits_entry(files: list[Path], root: Path, labels: dict[Path, Label], split: bool) -> Entry:
    files = sorted(files, key=lambda file: (labels[file].kind != "image", file))
    first = labels[files[0]]
    source = files[0].relative_to(root)
    if not first.id:
        folder = files[0].parent
        name = folder.resolve().name if folder == root else source.parent.as_posix()
        return Entry(name, BAND_CUBES, tuple(files), source.as_posix())
    if split:
        name = (source.parent.parent / first.id).as_posix()
        return Entry(name, BAND_FOLDERS, tuple(files), source.as_posix())
    layout = FILE_PER_OBJECT if first.band is None else FILE_PER_BAND
    return Entry(source.with_name(first.id).as_posix(), layout, tuple(files), source.as_posix())
