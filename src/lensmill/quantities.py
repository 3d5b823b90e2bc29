"""The vocabulary: every quantity that a simulator provides or a stage reads and writes.

A `Batch` maps a quantity's name to a tensor whose axes the quantity states. Everything that
passes between the simulator, the stages, the evaluation and the survey run is named here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

Batch = Mapping[str, Tensor]


@dataclass(frozen=True)
class Quantity:
    """A named tensor: its axes, its unit, and what it means."""

    name: str
    axes: tuple[str, ...]
    unit: str
    meaning: str


IMAGE = ("batch", "band", "y", "x")
PER_BAND = ("batch", "band")
PER_OBJECT = ("batch",)

NOISY = Quantity("noisy", IMAGE, "image", "the observed image, background subtracted")
CLEAN = Quantity("clean", IMAGE, "image", "the noiseless, PSF-convolved image")
SOURCE = Quantity("source", IMAGE, "image", "the (lensed) source alone, noiseless")

NOISY_DISPLAY = Quantity("noisy_display", IMAGE, "level", "`noisy` as a picture, 0 to 255")
CLEAN_DISPLAY = Quantity("clean_display", IMAGE, "level", "`clean` as a picture, 0 to 255")
SOURCE_DISPLAY = Quantity("source_display", IMAGE, "level", "`source` as a picture, 0 to 255")

SKY_SIGMA = Quantity("sky_sigma", PER_BAND, "image", "noise of empty sky, per pixel")
ZERO_POINT = Quantity("zero_point", PER_BAND, "mag", "AB magnitude of one unit of the image")
PSF_FWHM = Quantity("psf_fwhm", PER_BAND, "arcsec", "full width at half maximum of the PSF")
PIXEL_SCALE = Quantity("pixel_scale", PER_OBJECT, "arcsec / pixel", "side of a pixel")

IS_LENS = Quantity("is_lens", PER_OBJECT, "", "1 where the source is strongly lensed, else 0")
KIND = Quantity(
    "kind",
    PER_OBJECT,
    "",
    "what was simulated: 0 lens, 1 unlensed source, 2 empty, 3 spiral, 4 ring, 5 edge-on, "
    "6 merger, 7 blue companions",
)
P_LENS = Quantity("p_lens", PER_OBJECT, "", "probability that the object is a strong lens")
OOD = Quantity("ood", PER_OBJECT, "", "share of the training's systems that are more usual")
OOD_PARTS = Quantity(
    "ood_parts",
    ("batch", "part"),
    "",
    "the same by each of the network's features, noise, light and conditions alone",
)

THETA_E = Quantity("theta_E", PER_OBJECT, "arcsec", "Einstein radius on the intermediate axis")
E1 = Quantity("e1", PER_OBJECT, "", "(1-q)/(1+q) cos 2φ of the mass, φ from +x")
E2 = Quantity("e2", PER_OBJECT, "", "(1-q)/(1+q) sin 2φ of the mass, φ from +x")
SOURCE_SNR = Quantity("source_snr", PER_OBJECT, "", "matched-filter S/N of the source, best band")

POSTERIOR_LOG_WEIGHT = Quantity(
    "posterior_log_weight", ("batch", "component"), "", "log weights of the Gaussian mixture"
)
POSTERIOR_MEAN = Quantity(
    "posterior_mean",
    ("batch", "component", "parameter"),
    "ln arcsec, 1, 1",
    "means of the mixture over (ln θ_E, e1, e2)",
)
POSTERIOR_SCALE_TRIL = Quantity(
    "posterior_scale_tril",
    ("batch", "component", "parameter", "parameter"),
    "ln arcsec, 1, 1",
    "lower Cholesky factors of the mixture's covariances",
)

ALL = (
    NOISY,
    CLEAN,
    SOURCE,
    NOISY_DISPLAY,
    CLEAN_DISPLAY,
    SOURCE_DISPLAY,
    SKY_SIGMA,
    ZERO_POINT,
    PSF_FWHM,
    PIXEL_SCALE,
    IS_LENS,
    KIND,
    P_LENS,
    OOD,
    OOD_PARTS,
    THETA_E,
    E1,
    E2,
    SOURCE_SNR,
    POSTERIOR_LOG_WEIGHT,
    POSTERIOR_MEAN,
    POSTERIOR_SCALE_TRIL,
)
DISPLAYS = (NOISY_DISPLAY, CLEAN_DISPLAY, SOURCE_DISPLAY)
"""Pictures in the paper's display space: red, green and blue in the place of three bands."""
IMAGE_NAMES = frozenset(quantity.name for quantity in ALL if quantity.axes == IMAGE)
CONDITIONS = (SKY_SIGMA, PSF_FWHM, PIXEL_SCALE)


def by_name(name: str) -> Quantity:
    """The quantity called `name`; ValueError lists the choices."""
    for quantity in ALL:
        if quantity.name == name:
            return quantity
    choices = ", ".join(quantity.name for quantity in ALL)
    raise ValueError(f"no quantity is called {name!r}; choices: {choices}")
