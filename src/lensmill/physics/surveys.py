"""Survey presets: what a camera, a site and a depth make of a magnitude. Every number has a source.

Zero points are the AB magnitude of 1 e⁻/s; sky in mag/arcsec²; exposure per visit in seconds.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Band:
    """One band of a survey."""

    zero_point: float  # mag of 1 e⁻/s
    sky_brightness: float  # mag / arcsec²
    psf_fwhm: float  # arcsec
    visits: float
    exposure_time: float  # s, per visit
    read_noise: float  # e⁻ per read
    reads: int = 1  # per visit

    def sky(self, pixel_scale: float, visits: float | None = None) -> float:
        """Sky electrons per pixel over `visits` visits."""
        rate = 10 ** (-0.4 * (self.sky_brightness - self.zero_point)) * pixel_scale**2
        return rate * self.exposure_time * (self.visits if visits is None else visits)

    def total_zero_point(self, visits: float | None = None) -> float:
        """AB magnitude of one electron in the whole coadd."""
        from math import log10

        count = self.visits if visits is None else visits
        return self.zero_point + 2.5 * log10(self.exposure_time * count)


@dataclass(frozen=True)
class Survey:
    """A camera at a site: pixel scale in arcsec and its bands, with the source of the numbers."""

    name: str
    pixel_scale: float
    bands: dict[str, Band]
    source: str

    def with_visits(self, visits: float) -> "Survey":
        """The same survey, `visits` deep in every band."""
        bands = {name: replace(band, visits=visits) for name, band in self.bands.items()}
        return replace(self, bands=bands)


LSST_10YEAR = Survey(
    "lsst_10year",
    0.2,
    {
        "g": Band(28.26, 22.26, 0.86, 80, 30, 9, 2),
        "r": Band(28.10, 21.20, 0.81, 184, 30, 9, 2),
        "i": Band(27.78, 20.48, 0.79, 184, 30, 9, 2),
    },
    "surveycodex (LSST DESC): 2400, 5520, 5520 s; read noise: Rubin SMTN-002, 2×15 s visits",
)
LSST_VISIT = Survey(
    "lsst_visit",
    0.2,
    {
        "g": Band(28.51, 22.25, 0.87, 1, 30, 9, 2),
        "r": Band(28.36, 21.20, 0.83, 1, 30, 9, 2),
        "i": Band(28.17, 20.46, 0.80, 1, 30, 9, 2),
    },
    "Rubin SMTN-002: zero points, sky, FWHM; 2×15 s visits, ≤ 9 e⁻ per read",
)
LENSPOP_COADD = Survey(
    "lenspop_coadd",
    0.18,
    {
        "g": Band(28.138, 21.7, 1.46, 100, 30, 1.49, 1),
        "r": Band(28.138, 20.7, 1.38, 100, 60, 1.49, 1),
        "i": Band(28.138, 20.1, 1.35, 100, 60, 1.49, 1),
    },
    "LensPop (Collett 2015), full coadd: ZP 30 per 25 s at gain 4.5, 3000/6000/6000 s in 100 "
    "visits, read-noise variance 2.22 per visit; FWHM: the worst of the visits, to which all are "
    "blurred (median of what its rules draw, see population.detection.Rules)",
)
HSC_WIDE = Survey(
    "hsc_wide",
    0.168,
    {
        "g": Band(28.90, 21.4, 0.79, 4, 150, 4.5, 1),
        "r": Band(28.86, 20.6, 0.75, 4, 150, 4.5, 1),
        "i": Band(28.61, 19.7, 0.61, 6, 200, 4.5, 1),
    },
    "surveycodex (Aihara et al. 2022, table 1): 600, 600, 1200 s; read noise: Miyazaki et al. 2018",
)
DES_WIDE = Survey(
    "des_wide",
    0.263,
    {
        "g": Band(26.72, 22.01, 1.12, 10, 90, 7, 1),
        "r": Band(26.99, 21.15, 0.96, 10, 90, 7, 1),
        "i": Band(26.86, 19.89, 0.88, 10, 90, 7, 1),
    },
    "surveycodex (DES DR1, Abbott et al. 2018): 10×90 s; read noise: Flaugher et al. 2015",
)

PRESETS = {s.name: s for s in (LSST_10YEAR, LSST_VISIT, LENSPOP_COADD, HSC_WIDE, DES_WIDE)}


def preset(name: str) -> Survey:
    """The preset called `name`; ValueError lists the choices."""
    if name not in PRESETS:
        raise ValueError(f"no survey preset {name!r}; choices: {', '.join(PRESETS)}")
    return PRESETS[name]
