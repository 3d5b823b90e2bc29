"""Spirals and rings: disks whose arms, or whose ring, pass for arcs about a red galaxy."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from lensmill.simulation.population.structure import (
    Array,
    Impostor,
    Site,
    between,
    galaxy,
    joined,
    knots,
    less,
    projected,
    seen_flat,
)

PITCH = (10.0, 35.0)
"""Degrees: about the pitch angles that are measured (Kennicutt 1981; Savchenko & Reshetnikov 2013);
tighter arms pass for rings."""
ARM_RADII = (1.0, 6.0)
"""arcsec: where the arms may end."""
BARRED = 0.4
"""Share of spirals with a bar: between the local two thirds and a fifth at z = 0.8 (Sheth et al.
2008)."""
POLAR = 0.3
"""Share of the rings that lie at any angle to the galaxy. In nature fewer by far: half a per cent
of S0 galaxies have a polar ring (Whitmore et al. 1990), 16 % of disks an outer and 35 % an inner
resonance ring (Comerón et al. 2014), so this is for variety."""


def spirals(site: Site) -> Impostor:
    """A disk with a bulge, some a bar, and two to four logarithmic arms, blue and knotty.

    As bright as the pair's lens within a magnitude, seen from any side.
    """
    u, centre = site.u.T, (site.x, site.y)
    disk = np.exp(site.pair["ln_radius_lens"]) * between(1.5, 3.0, u[0])
    inner, outer, disk = _radii(disk, u[1], u[2])
    q = seen_flat(between(0.15, 1.0, u[3]), 0.2)
    i = site.pair["i_lens"] + between(-0.3, 1.0, u[4])
    bulge, bar = between(0.08, 0.5, u[5]) ** 1.3, 0.12 * (u[6] < BARRED)
    arms = (1 - bulge - bar) * between(0.2, 0.5, u[7])
    red, pale = site.colours(between(0.0, 0.25, u[8])), site.colours(between(0.25, 0.6, u[9]))
    place, weight = _arms(site, inner, outer, disk, q)
    size = np.sqrt(q) * disk
    core, thick = between(1.5, 4, u[10]), between(0.25, 0.4, u[11])
    along_bar = _sky_angle(2 * np.pi * u[16], q, site.phi)
    stars = joined(
        len(i),
        galaxy(i + less(bulge), red, 0.25 * disk, core, 0.5 + 0.5 * q, site.phi, centre),
        galaxy(i + less(1 - bulge - bar - arms), pale, size, 1.0, q, site.phi, centre),
        galaxy(i + less(bar), red, 0.45 * inner, 0.5, thick, along_bar, centre),
    )
    blue = site.colours(between(0.55, 1.05, u[12]))
    light = knots(i + less(arms), blue, weight, place)
    return Impostor(stars, light, np.zeros(len(i), bool))


def _radii(disk: Array, u: Array, v: Array) -> tuple[Array, Array, Array]:
    """Where the arms begin and end, and the disk's half-light radius along its major axis."""
    outer = np.clip(disk * between(1.5, 2.6, u), *ARM_RADII)
    inner = outer * between(0.2, 0.4, v)
    return inner, outer, outer / between(1.5, 2.6, u)


def _sky_angle(azimuth: Array, q: Array, phi: Array) -> Array:
    """Position angle of a direction `azimuth` within a disk seen at axis ratio `q` along `phi`."""
    return phi + np.arctan2(q * np.sin(azimuth), np.cos(azimuth))


def _arms(
    site: Site, inner: Array, outer: Array, disk: Array, q: Array
) -> tuple[tuple[Array, Array], Array]:
    """(x, y) and flux of knots along arms r = inner exp(θ tan pitch): (row, point) each.

    No two arms are quite alike in strength, nor evenly spaced.
    """
    u, v = site.u.T[..., None], site.v
    count = np.select([u[13] < 0.6, u[13] < 0.8], [2, 3], 4)
    tangent = np.tan(np.radians(between(*PITCH, u[14])))
    number = np.arange(v.shape[1])
    arm, step = number % count, number // count
    along = (step + v[..., 0]) * count / v.shape[1]
    sweep = np.log(outer / inner)[:, None] / tangent
    scatter = ndtri(v[..., 1])
    radius = inner[:, None] * np.exp(along * sweep * tangent + between(0.04, 0.1, u[15]) * scatter)
    strength, shift = _of_the_arm(site.u[:, 20:24], arm), _of_the_arm(site.u[:, 24:28], arm)
    start = 2 * np.pi * ((arm + 0.15 * shift) / count + u[16])
    azimuth = start + along * sweep * np.where(u[17] < 0.5, -1, 1)
    knotty = between(0.3, 1.2, u[18]) * ndtri(v[..., 2])
    fading = radius * np.exp(-1.2 * radius / disk[:, None]) * np.sin(np.pi * along) ** 0.5
    weight = fading * np.exp(0.3 * ndtri(strength) + knotty)
    return projected(radius, azimuth, q, site.phi, (site.x, site.y)), weight


def _of_the_arm(values: Array, arm: NDArray[np.int64]) -> Array:
    return np.take_along_axis(values, arm, axis=1)


def rings(site: Site) -> Impostor:
    """The pair's lens galaxy with a ring: in its plane, or at any angle to it.

    The ring holds 6 to 42 % of the galaxy's i light, at about θ_E but outside the galaxy's
    half-light radius; red as the galaxy or blue, even or knotty, whole or fading to one side.
    """
    u, v = site.u.T, site.v
    polar = u[0] < POLAR
    q = np.where(polar, seen_flat(between(0.1, 1.0, u[1]), 0.1), site.pair["q_lens"])
    phi = np.where(polar, np.pi * u[2], site.phi)
    theta_E = np.exp(site.pair["ln_theta_E"])
    outside = np.exp(site.pair["ln_radius_lens"]) * between(1.0, 2.0, u[10])
    size = np.maximum(theta_E * np.exp(0.25 * ndtri(u[3])), outside)
    size = np.clip(size, 0.6, 5.0) / np.maximum(q, 0.3) ** 0.5
    azimuth = 2 * np.pi * (np.arange(v.shape[1]) + v[..., 0]) / v.shape[1]
    width = between(0.04, 0.15, u[4])[:, None]
    radius = size[:, None] * (1 + width * ndtri(v[..., 1]))
    one_sided = u[5, :, None] ** 2 * np.cos(azimuth - 2 * np.pi * u[6, :, None])
    knotty = between(0.0, 1.2, u[7])[:, None] * ndtri(v[..., 2])
    weight = (1 + one_sided) * np.exp(knotty)
    i = site.pair["i_lens"] + less(0.06 * 7 ** u[8])
    place = projected(radius, azimuth, q, phi, (site.x, site.y))
    ring = knots(i, site.colours(1.1 * np.sqrt(u[9])), weight, place)
    return Impostor(joined(len(i)), ring, np.ones(len(i), bool))
