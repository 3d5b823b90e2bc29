"""Writers of tiles in the layouts of the surveys, and of tables of positions."""

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from stamp_files import GRI, SIGMA, gaussian

from lensmill.survey.stamps import Reading, Stamp, find_objects, read

SHAPE = (300, 330)  # (y, x)
CUT = (33, 40)  # (y, x)
SCALE = 0.2
INSIDE = ((100, 50), (150, 150), (50.4, 249.6), (250, 200))  # (x, y)


def tile_image(band, seed=0, shape=SHAPE):
    """Noise of SIGMA[band], with a galaxy every 50 pixels."""
    y, x = np.indices(shape)
    radius = np.hypot((y + 25) % 50 - 25, (x + 25) % 50 - 25)
    noise = np.random.default_rng([seed, ord(band[-1])]).normal(size=shape)
    return (SIGMA.get(band, 4.0) * (80 * np.exp(-radius / 2) + noise)).astype(np.float32)


def tile_wcs(ra=150.0, dec=2.0, shape=SHAPE, scale=SCALE, shift=0.0):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.cdelt = [-scale / 3600, scale / 3600]
    wcs.wcs.crpix = [(shape[1] + 1) / 2 + shift, (shape[0] + 1) / 2]
    wcs.wcs.crval = [ra, dec]
    return wcs


def header(wcs=None, **cards):
    """A header with a WCS and `cards`."""
    made = (wcs or tile_wcs()).to_header()
    made.update(cards)
    return made


def save(path, *hdus):
    """An empty primary HDU and `hdus`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)


def rubin_hdus(band, mask=None, wcs=None, planes=None):
    """IMAGE, MASK and VARIANCE as an ExposureF has them, and a table of its archive after them."""
    image = tile_image(band)
    mask = np.zeros(SHAPE, np.int32) if mask is None else mask
    planes = planes or {"BAD": 0, "SAT": 1, "INTRP": 2, "DETECTED": 5, "NO_DATA": 8}
    names = {f"HIERARCH MP_{name}": bit for name, bit in planes.items()}
    variance = np.full(SHAPE, SIGMA[band] ** 2, np.float32)
    archive = fits.BinTableHDU.from_columns([fits.Column("id", "J", array=[1, 2])])
    archive.header["EXTNAME"] = "ARCHIVE_INDEX"
    return (
        fits.ImageHDU(image, header(wcs, BUNIT="nJy"), name="IMAGE"),
        fits.ImageHDU(mask, header(wcs, **names), name="MASK"),
        fits.ImageHDU(variance, header(wcs), name="VARIANCE"),
        archive,
    )


def write_rubin(folder, tile="9813_40", bands=GRI, **options):
    for band in bands:
        name = f"deep_coadd_{tile}_{band}_lsst_cells_v1_LSSTComCam_runs_DRP_DP1_v29_0_0.fits"
        save(folder / band / name, *rubin_hdus(band, **options))


def write_plain(folder, name="tile", bands=GRI, wcs=None, variance=True):
    """`<tile>_<band>_sci.fits`, `_var` and one `_psf`."""
    for band in bands:
        plain = header(wcs)
        save(folder / f"{name}_{band}_sci.fits", fits.ImageHDU(tile_image(band), plain))
        if variance:
            noise = np.full(SHAPE, SIGMA[band] ** 2, np.float32)
            save(folder / f"{name}_{band}_var.fits", fits.ImageHDU(noise, plain))
            save(folder / f"{name}_{band}_psf.fits", fits.ImageHDU(gaussian(4.0)))


def compressed(data, cards, **options):
    return fits.CompImageHDU(data, cards, compression_type="RICE_1", **options)


def sky_of(pixels, wcs=None):
    """(ra, dec) of pixels (x, y) counted from 0."""
    return (wcs or tile_wcs()).all_pix2world(np.asarray(pixels, float), 0).T


def write_positions(path, pixels, wcs=None, ids=None):
    """A table with the places of `pixels` (x, y) and ids p0, p1, …"""
    ra, dec = sky_of(pixels, wcs)
    ids = ids or [f"p{number}" for number in range(len(ra))]
    options = {"format": "votable"} if path.suffix == ".vot" else {}
    Table({"object_id": ids, "ra": ra, "dec": dec}).write(path, **options)
    return path


def cut_all(folder, positions, **options):
    """What is read at each position, by its id."""
    reading = Reading(positions=positions, cut=CUT, **options)
    entries = find_objects(folder, reading)
    return {item.id: item for entry in entries for item in read(entry, reading)}


def window(image, x, y, cut=CUT):
    """The window of shape `cut` whose middle is nearest to pixel (x, y)."""
    top, left = (int(np.floor(c - (n - 1) / 2 + 0.5)) for c, n in ((y, cut[0]), (x, cut[1])))
    return image[top : top + cut[0], left : left + cut[1]]


def assert_cut(item, x, y, bands=GRI):
    assert isinstance(item, Stamp), item
    for image, band in zip(item.image, bands, strict=True):
        np.testing.assert_allclose(image, window(tile_image(band), x, y), rtol=1e-5, atol=1e-4)
