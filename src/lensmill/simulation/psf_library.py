"""PSF library: images of a survey's PSF, from files, one to be drawn for every scene and band."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from lensmill.physics.kernels import PsfImage
from lensmill.physics.psf_width import measure_fwhm
from lensmill.provenance import digest

Array = NDArray[np.floating]
FITS = (".fits", ".fit", ".fits.gz", ".fit.gz")


@dataclass(frozen=True)
class PsfLibrary:
    """PSF images of each band, with their widths; compared and shown by their digest."""

    images: tuple[Float[Tensor, "_ v u"], ...] = field(repr=False, compare=False)
    fwhm: tuple[Float[Tensor, " _"], ...] = field(repr=False, compare=False)  # arcsec
    pixel_scale: float  # arcsec
    digest: str

    def draw(self, u: Float[Tensor, "batch band"]) -> tuple[PsfImage, Float[Tensor, "batch band"]]:
        """An image for every uniform number, and its FWHM in arcsec."""
        chosen = [
            (column * len(images)).long().clamp(max=len(images) - 1)
            for column, images in zip(u.unbind(1), self.images, strict=True)
        ]
        image, fwhm = (
            torch.stack([values[k] for values, k in zip(each, chosen, strict=True)], 1)
            for each in (self.images, self.fwhm)
        )
        return PsfImage(image, torch.full_like(fwhm, self.pixel_scale)), fwhm


def read_psf_library(path: Path, bands: tuple[str, ...], pixel_scale: float) -> PsfLibrary:
    """The library at `path`, whose images have pixels of `pixel_scale` arcsec.

    An .npy file: (band, v, u) or (count, band, v, u), bands in the order of `bands`. A FITS file:
    an HDU for each band, called as it, (v, u) or (count, v, u). A folder: files `NAME_BAND.npy` or
    .fits, or `BAND.npy`, as many for a band as one likes, each (v, u) or (count, v, u). An image is
    that of a star in the survey's pixels, PSF and pixel together, its middle that of the star.
    """
    stacks = _read(path, bands)
    side = tuple(max(image.shape[axis] for s in stacks for image in s) for axis in (-2, -1))
    images = [np.stack([_padded(image, side) for image in stack]) for stack in stacks]
    return PsfLibrary(
        tuple(torch.from_numpy(each) for each in images),
        tuple(
            torch.tensor([_width(image, path, band) * pixel_scale for image in each])
            for each, band in zip(images, bands, strict=True)
        ),
        pixel_scale,
        digest(b"".join(each.tobytes() for each in images)),
    )


def _read(path: Path, bands: tuple[str, ...]) -> list[list[Array]]:
    """All images (v, u) of each band."""
    if path.is_dir():
        return [_of_band(path, band) for band in bands]
    if not path.is_file():
        raise ValueError(f"psf_images: no file or folder {path}")
    if path.name.endswith(FITS):
        named = dict(_hdus(path))
        missing = [band for band in bands if band not in named]
        if missing:
            raise ValueError(f"{path}: no HDU called {', '.join(missing)}; it has {list(named)}")
        return [_images(named[band], path) for band in bands]
    array = _numpy(path)
    if array.ndim not in (3, 4) or array.shape[-3] != len(bands):
        raise ValueError(
            f"{path}: PSF images are (band, v, u) or (count, band, v, u) with the bands "
            f"{', '.join(bands)}, not {array.shape}"
        )
    return [_images(array[..., k, :, :], path) for k in range(len(bands))]


def _of_band(folder: Path, band: str) -> list[Array]:
    files = [
        p for p in sorted(folder.iterdir()) if _stem(p) == band or _stem(p).endswith("_" + band)
    ]
    if not files:
        raise ValueError(f"{folder}: no PSF image of band {band}: no *_{band}.npy or *_{band}.fits")
    arrays = [(_numpy(p) if p.suffix == ".npy" else _hdus(p)[0][1], p) for p in files]
    return [image for array, file in arrays for image in _images(array, file)]


def _stem(path: Path) -> str:
    """The name less its suffix; nothing if it is no image's."""
    known = [suffix for suffix in (".npy", *FITS) if path.name.endswith(suffix)]
    return path.name.removesuffix(known[0]) if known else ""


def _numpy(path: Path) -> Array:
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path} is no .npy file of numbers: {error}") from None


def _hdus(path: Path) -> list[tuple[str, Array]]:
    """(EXTNAME, data) of every HDU with an image."""
    from astropy.io import fits

    try:
        with fits.open(path, memmap=False) as hdus:
            found = [(h.name.lower(), h.data) for h in hdus if h.is_image and h.data is not None]
    except OSError as error:
        raise ValueError(f"{path} is not a FITS file: {error}") from None
    if not found:
        raise ValueError(f"{path}: no image in it")
    return found


def _images(array: Array, path: Path) -> list[Array]:
    if array.ndim not in (2, 3) or not len(array):
        raise ValueError(f"{path}: PSF images are (v, u) or (count, v, u), not {array.shape}")
    return list(np.atleast_3d(array.T).T.astype(np.float32))


def _padded(image: Array, side: tuple[int, ...]) -> Array:
    """With zeros around, the middle where it was: to the next size of the same parity."""
    missing = [most - size for most, size in zip(side, image.shape, strict=True)]
    if any(m % 2 for m in missing):
        raise ValueError(
            f"psf_images: sides of {image.shape} and {side} pixels have no common middle; "
            "give all odd or all even sides"
        )
    return np.pad(image, [(m // 2, m // 2) for m in missing])


def _width(image: Array, path: Path, band: str) -> float:
    """FWHM in pixels."""
    try:
        return measure_fwhm(image)
    except ValueError as error:
        raise ValueError(f"{path}, band {band}: {error}") from None
