"""Reading: how a folder is to be read, and what was found in it."""

from dataclasses import dataclass
from pathlib import Path

from lensmill.physics.surveys import Survey


@dataclass(frozen=True)
class Reading:
    """How a folder is to be read; what the user gives here goes before what the files say.

    bands: in the order in which the pipeline wants them.
    survey: gives pixel scale and FWHM where files do not.
    pixel_scale: arcsec. psf_fwhm: arcsec, per band.
    hdus: number of the FITS HDU (0 is the primary) that holds the image of each band.
    """

    bands: tuple[str, ...] = ("g", "r", "i")
    survey: Survey | None = None
    pixel_scale: float | None = None
    psf_fwhm: tuple[float, ...] | None = None
    hdus: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if not self.bands or len(set(self.bands)) < len(self.bands):
            raise ValueError(f"bands: name one or more, each once, not {self.bands}")
        self._check_per_band("psf_fwhm", self.psf_fwhm)
        self._check_per_band("hdus", self.hdus)
        if min(self.psf_fwhm or (1.0,)) <= 0:
            raise ValueError(f"psf_fwhm: {self.psf_fwhm} arcsec are not all positive")
        if self.pixel_scale is not None and self.pixel_scale <= 0:
            raise ValueError(f"pixel_scale: {self.pixel_scale} arcsec is not positive")

    def _check_per_band(self, key: str, values: tuple[float, ...] | None) -> None:
        if values is not None and len(values) != len(self.bands):
            bands = ", ".join(self.bands)
            raise ValueError(f"{key}: {len(values)} values for {len(self.bands)} bands ({bands})")


@dataclass(frozen=True)
class Entry:
    """One object, or one file of many, as listed: nothing of it has been opened yet."""

    id: str
    layout: str
    files: tuple[Path, ...]  # those with the image first
    source: str  # file name of the first, relative to the folder
    rows: tuple[int, int] | None = None  # of a file of many: from the first to before the second

    def chosen(self, count: int) -> range:
        """Which of the `count` objects of its file are its own."""
        first, end = self.rows or (0, count)
        return range(first, min(end, count))


class StampError(ValueError):
    """Why an object cannot be read: a machine word, `flag`, and a sentence."""

    def __init__(self, flag: str, reason: str) -> None:
        super().__init__(reason)
        self.flag = flag
