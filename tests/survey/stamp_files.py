"""Writers of stamps in every layout, and readers that say what they expect."""

import json
from pathlib import Path

import h5py
import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from lensmill.survey.stamps import Reading, Stamp, Unreadable, find_objects, read

SHAPE = (40, 47)
SCALE = 0.2
GRI = ("g", "r", "i")
SIGMA = {"g": 2.0, "r": 3.0, "i": 5.0, "z": 7.0}


def galaxy(band, seed=0, shape=SHAPE):
    """A galaxy in the middle and noise of SIGMA[band]."""
    y, x = np.indices(shape)
    radius = np.hypot(y - shape[0] / 2, x - shape[1] / 2)
    noise = np.random.default_rng([seed, ord(band)]).normal(size=shape)
    return (SIGMA[band] * (100 * np.exp(-radius / 2.5) + noise)).astype(np.float32)


def gaussian(fwhm, side=25):
    """A PSF image; `fwhm` in pixels."""
    y, x = np.mgrid[:side, :side] - side // 2
    return np.exp(-4 * np.log(2) * (x**2 + y**2) / fwhm**2)


def sky(scale=SCALE, shape=SHAPE):
    """A header with a WCS whose (150°, 2°) lies at the centre of the image."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.cdelt = [-scale / 3600, scale / 3600]
    wcs.wcs.crpix = [(shape[1] + 1) / 2, (shape[0] + 1) / 2]
    wcs.wcs.crval = [150.0, 2.0]
    return wcs.to_header()


def write(path, *images, headers=(), names=()):
    """`images` as a primary HDU and extensions, or as named extensions of an empty primary."""
    if names:
        hdus = [fits.ImageHDU(d, sky(), name=n) for d, n in zip(images, names, strict=True)]
        hdus.insert(0, fits.PrimaryHDU())
    else:
        headers = headers or [sky()] * len(images)
        hdus = [fits.PrimaryHDU(images[0], headers[0])]
        hdus += [fits.ImageHDU(d, h) for d, h in zip(images[1:], headers[1:], strict=True)]
    path.parent.mkdir(exist_ok=True, parents=True)
    fits.HDUList(hdus).writeto(path)


def read_all(path, **options):
    reading = Reading(**options)
    return [item for entry in find_objects(path, reading) for item in read(entry, reading)]


def only(path, **options):
    (item,) = read_all(path, **options)
    return item


def stamp(path, **options):
    item = only(path, **options)
    assert isinstance(item, Stamp), item
    return item


def failure(path, flag, **options):
    item = only(path, **options)
    assert isinstance(item, Unreadable), item
    assert item.flag == flag, item
    assert item.source in item.reason or Path(item.source).name in item.reason
    return item.reason


def assert_bands(item, bands=GRI, seed=0):
    """Each plane is the galaxy of its band, as native float32."""
    assert item.bands == bands
    assert item.image.dtype == np.float32
    assert item.image.dtype.isnative
    for image, band in zip(item.image, bands, strict=True):
        np.testing.assert_allclose(image, galaxy(band, seed), rtol=1e-5, atol=1e-4)


def many(count=5, bands="zirg"):
    return np.stack([[galaxy(band, number) for band in bands] for number in range(count)])


def write_hdf5(path, sidecar=None, attributes=None, **arrays):
    with h5py.File(path, "w") as file:
        file.attrs.update(attributes or {})
        for name, array in arrays.items():
            file[name] = array
    if sidecar:
        path.with_suffix(".json").write_text(json.dumps(sidecar))
