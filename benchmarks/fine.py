"""A slow, fine reference for rendered images: float64, its own formulas, no code of the renderer.

Brightness is summed over 16² or more points in each pixel, each blurred by the exact integral of
the Gaussian over the pixels; the inside of a bulge's cusp is summed in elliptical polar
coordinates; cells that a compact source lights are divided further, by their error. The field is
padded by six σ, so light from outside the stamp is blurred in.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, gammaincinv, gammaln

Array = NDArray[np.float64]

FWHM_PER_SIGMA = 2 * math.sqrt(2 * math.log(2))
FINENESS = 10
"""Cells of a source are at least this much finer than its scale length along the minor axis."""
REACH = 18
"""Scale lengths from the centre of a source within which that holds."""
CORE = 0.2
"""Semi-minor axis in arcsec of the ellipse in which a cusp is summed in polar coordinates."""


@dataclass(frozen=True)
class Light:
    """An elliptical Sérsic of unit flux; arcsec, radian from +x, R_e the product average."""

    radius: float
    index: float
    q: float
    phi: float
    x: float
    y: float


@dataclass(frozen=True)
class Lens:
    """An SIE; arcsec, radian from +x."""

    einstein_radius: float
    q: float
    phi: float
    x: float
    y: float


class Field:
    """Points of a padded stamp, `fineness`² in each pixel, and the PSF's matrices onto pixels."""

    def __init__(self, shape: tuple[int, int], scale: float, fwhm: Array, fineness: int = 16):
        pad = math.ceil(6 * fwhm.max() / FWHM_PER_SIGMA / scale)
        self.step, self.scale, self.shape = scale / fineness, scale, shape
        self.sigma = fwhm / FWHM_PER_SIGMA
        count_y, count_x = ((n + 2 * pad) * fineness for n in shape)
        self.axis_y, self.axis_x = (centred(n, self.step) for n in (count_y, count_x))
        self.y, self.x = np.meshgrid(self.axis_y, self.axis_x, indexing="ij")

    def onto_pixels(self, position: Array, axis: int, sigma: float) -> Array:
        """(pixel, point): the part of a point's light that falls on each pixel of `axis`."""
        pixels = centred(self.shape[axis], self.scale)[:, None]
        edges = [(pixels + s * self.scale / 2 - position) / (math.sqrt(2) * sigma) for s in (1, -1)]
        return 0.5 * (erf(edges[0]) - erf(edges[1]))

    def blurred(self, brightness: Array) -> Array:
        """(band, y, x) flux per pixel of brightness (arcsec⁻²) at the field's points."""
        return np.stack([self._blurred(brightness, sigma) for sigma in self.sigma])

    def _blurred(self, brightness: Array, sigma: float) -> Array:
        rows = self.onto_pixels(self.axis_y, 0, sigma)
        columns = self.onto_pixels(self.axis_x, 1, sigma)
        return rows @ brightness @ columns.T * self.step**2

    def points(self, x: Array, y: Array, flux: Array) -> Array:
        """(band, y, x) flux per pixel of single points."""
        rows = [self.onto_pixels(y, 0, sigma) * flux for sigma in self.sigma]
        columns = [self.onto_pixels(x, 1, sigma) for sigma in self.sigma]
        return np.stack([r @ c.T for r, c in zip(rows, columns, strict=True)])


def centred(count: int, step: float) -> Array:
    """Centres of `count` cells around 0."""
    return (np.arange(count) - (count - 1) / 2) * step


def sersic(radius: Array | float, light: Light) -> Array:
    """Brightness, arcsec⁻², at elliptical radius `radius`."""
    n = light.index
    b = gammaincinv(2 * n, 0.5)
    norm = 2 * n * math.log(b) - gammaln(2 * n) - math.log(2 * math.pi * n * light.radius**2)
    return np.exp(norm - b * (np.asarray(radius) / light.radius) ** (1 / n))


def elliptical_radius(x: Array, y: Array, light: Light) -> Array:
    """√(q u² + v²/q) about the light's centre."""
    dx, dy = x - light.x, y - light.y
    u = math.cos(light.phi) * dx + math.sin(light.phi) * dy
    v = math.cos(light.phi) * dy - math.sin(light.phi) * dx
    return np.sqrt(light.q * u**2 + v**2 / light.q)


def source_plane(x: Array, y: Array, lens: Lens) -> tuple[Array, Array]:
    """(x, y) less the deflection of an SIE, q < 1 (Kormann et al. 1994, asinh and asin form)."""
    if lens.einstein_radius == 0:
        return x, y
    cosine, sine = math.cos(lens.phi), math.sin(lens.phi)
    angle = np.arctan2(y - lens.y, x - lens.x) - lens.phi
    f = math.sqrt(1 - lens.q**2)
    size = lens.einstein_radius * math.sqrt(lens.q) / f
    stretched = np.hypot(lens.q * np.cos(angle), np.sin(angle))
    alpha_u = size * np.arctan(f * np.cos(angle) / stretched)
    alpha_v = size * np.arctanh(f * np.sin(angle) / stretched)
    return x - cosine * alpha_u + sine * alpha_v, y - sine * alpha_u - cosine * alpha_v


def galaxy_image(light: Light, field: Field) -> Array:
    """(band, y, x) of an undeflected Sérsic of unit flux."""
    core = CORE / math.sqrt(light.q)
    clamped = np.maximum(elliptical_radius(field.x, field.y, light), core)
    return field.blurred(sersic(clamped, light)) + field.points(*cusp(light, core))


def cusp(
    light: Light, core: float, radial: int = 32, angular: int = 192
) -> tuple[Array, Array, Array]:
    """(x, y, flux) of the light above I(core) inside `core`: Gauss–Legendre in (r/R_e)^(1/n)."""
    nodes, weights = np.polynomial.legendre.leggauss(radial)
    edge = (core / light.radius) ** (1 / light.index)
    t = 0.5 * edge * (nodes + 1)
    radius = light.radius * t**light.index
    slope = light.index * light.radius * t ** (light.index - 1)
    flux = (sersic(radius, light) - sersic(core, light)) * radius * slope * 0.5 * edge * weights
    angle = 2 * math.pi * np.arange(angular) / angular
    u = np.outer(radius / math.sqrt(light.q), np.cos(angle)).ravel()
    v = np.outer(radius * math.sqrt(light.q), np.sin(angle)).ravel()
    cosine, sine = math.cos(light.phi), math.sin(light.phi)
    each = np.repeat(flux * 2 * math.pi / angular, angular)
    return light.x + cosine * u - sine * v, light.y + sine * u + cosine * v, each


def source_image(light: Light, lens: Lens, field: Field) -> Array:
    """(band, y, x) of a deflected Sérsic of unit (unlensed) flux."""
    radius = elliptical_radius(*source_plane(field.x, field.y, lens), light)
    brightness = sersic(radius, light)
    scale = light.radius / gammaincinv(2 * light.index, 0.5) ** light.index
    parts = math.ceil(FINENESS * field.step / (scale * math.sqrt(light.q)))
    if parts > 1:
        slope = field.step * stretch(radius, field.step)
        lit = radius - slope < REACH * scale
        brightness[lit] = divided(field.x[lit], field.y[lit], light, lens, field.step, parts)
    return field.blurred(brightness)


def stretch(radius: Array, step: float) -> Array:
    """Largest slope of `radius` at each point, from its neighbours."""
    dy, dx = np.gradient(radius, step)
    return np.hypot(dx, dy)


def divided(x: Array, y: Array, light: Light, lens: Lens, step: float, parts: int) -> Array:
    """Mean brightness of each cell over parts² points."""
    total = np.zeros_like(x)
    for dx in centred(parts, step / parts):
        for dy in centred(parts, step / parts):
            total += sersic(elliptical_radius(*source_plane(x + dx, y + dy, lens), light), light)
    return total / parts**2
