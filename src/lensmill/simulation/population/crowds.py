"""Crowds: edge-on disks, mergers, and small blue galaxies where arcs would be."""

import numpy as np
from scipy.special import ndtri

from lensmill.simulation.population.structure import (
    POINTS,
    Array,
    Colours,
    Galaxies,
    Impostor,
    Knots,
    Site,
    between,
    galaxy,
    joined,
    knots,
    less,
    no_knots,
    turned,
)

STRAIGHT, CURVED = 0.41, 0.88
"""Of tidal tails at z = 0.2–1, 41 % are straight, 47 % curved, the others plumes (Ren et al.
2020)."""
WIDEST_MERGER = 3.0
"""arcsec between the merging galaxies at most."""


def edge_ons(site: Site) -> Impostor:
    """A thin disk with a bulge, half of them warped: in the lens galaxy's place, or beside it.

    Beside it, at 0.8–2.5 θ_E, most lie as an arc would, and bend towards the galaxy.
    """
    u = site.u.T
    beside = u[0] < 0.5
    distance = np.maximum(np.exp(site.pair["ln_theta_E"]), 0.6) * between(0.8, 2.5, u[1])
    azimuth = 2 * np.pi * u[2]
    tangential = azimuth + np.pi / 2 + np.radians(20) * ndtri(u[3])
    phi = np.where(u[4] < 0.6, tangential, np.pi * u[5])
    phi = np.where(beside, phi, site.phi)
    x, y = turned(distance * beside, 0 * distance, azimuth)
    large = np.clip(np.exp(site.pair["ln_radius_lens"]) * between(1.0, 2.2, u[6]), 0.6, 3)
    size = np.where(beside, between(0.5, 1.4, u[6]), large)
    fainter = np.minimum(site.pair["i_lens"] + between(1.0, 3.5, u[7]), 24.0)
    i = np.where(beside, fainter, site.pair["i_lens"] + u[7])
    stars = _thin_disk(site, i, size, phi, (site.x + x, site.y + y))
    return Impostor(stars, no_knots(len(i)), beside)


def _thin_disk(
    site: Site, i: Array, size: Array, phi: Array, centre: tuple[Array, Array]
) -> Galaxies:
    """Disk, bulge, and two wings of a warp: bent as an S or to one side, or none."""
    u = site.u.T
    bulge, wings = between(0.02, 0.35, u[10]), between(0.1, 0.3, u[11]) * (u[12] < 0.5)
    q = between(0.1, 0.25, u[13])
    blue = site.colours(between(0.1, 0.9, u[14]))
    bend = np.radians(between(5, 18, u[15]))
    far, aside = 1.1 * size, 0.4 * size * np.tan(bend)
    other = np.where(u[16] < 0.5, -1, 1)  # −1: an S
    ends = (turned(far, aside, phi), turned(-far, other * aside, phi))
    first, second = ((centre[0] + x, centre[1] + y) for x, y in ends)
    wing, disk = i + less(wings / 2), i + less(1 - bulge - wings)
    red = site.colours(between(0.0, 0.3, u[17]))
    round_radius = 0.15 * size
    return joined(
        len(i),
        galaxy(disk, blue, np.sqrt(q) * size, 1.0, q, phi, centre),
        galaxy(i + less(bulge), red, round_radius, 2.5, between(0.5, 0.9, u[18]), phi, centre),
        galaxy(wing, blue, np.sqrt(q) * 0.6 * size, 0.7, q, phi + bend, first),
        galaxy(wing, blue, np.sqrt(q) * 0.6 * size, 0.7, q, phi - other * bend, second),
    )


def mergers(site: Site) -> Impostor:
    """The lens galaxy, or a disk in its place, with one or two as bright, and tidal tails.

    Within 3″ and 1.5 mag of each other; the tails hold 3–20 % of the i light.
    """
    u = site.u.T
    late = u[0] < 0.4
    i, radius = site.pair["i_lens"], np.exp(site.pair["ln_radius_lens"])
    red, pale = site.colours(0 * i), site.colours(between(0.3, 0.8, u[1]))
    here, q = (site.x, site.y), site.pair["q_lens"]
    own = np.where(late, i, np.inf)
    stars = [
        galaxy(own + less(0.3 + 0 * i), red, 0.4 * radius, 2.5, 0.5 + 0.5 * q, site.phi, here),
        galaxy(own + less(0.7 + 0 * i), pale, 1.2 * radius, 1.0, q, site.phi, here),
    ]
    separation, azimuth = _partners(site)
    for number, w in enumerate(np.moveaxis(site.v[:, :4].reshape(-1, 2, 6), 1, 0)):
        there = turned(separation[number], 0 * i, azimuth[number])
        place = (site.x + there[0], site.y + there[1])
        present = (number == 0) | (u[2] < 0.35)
        stars += _partner(site, np.where(present, i, np.inf), radius, w.T, place)
    tails = _tails(site, i, separation[0], azimuth[0])
    return Impostor(joined(len(i), *stars), tails, ~late)


def _partners(site: Site) -> tuple[list[Array], list[Array]]:
    """Distances and directions of two partners, even over a disk but for its middle."""
    u = site.u.T
    distance = [np.sqrt(between(0.4**2, WIDEST_MERGER**2, u[k])) for k in (3, 4)]
    return distance, [2 * np.pi * u[k] for k in (5, 6)]


def _partner(
    site: Site, i: Array, radius: Array, w: Array, place: tuple[Array, Array]
) -> list[Galaxies]:
    """An early or a late type beside a galaxy of magnitude `i`: a bulge, and a disk or none."""
    i = i + between(-0.3, 1.5, w[0])
    bulge = np.where(w[1] < 0.5, 1.0, 0.3 * w[2])
    size, phi = radius * between(0.5, 1.1, w[3]), np.pi * w[4]
    red, pale = site.colours(0.15 * w[2]), site.colours(between(0.4, 1.0, w[2]))
    q = between(0.35, 1.0, w[5])
    compact = np.where(bulge < 1, 0.4, 1.0) * size
    return [
        galaxy(i + less(bulge), red, compact, 4.0, 0.5 + 0.5 * q, phi, place),
        galaxy(i + less(1 - bulge), pale, size, 1.0, q, phi, place),
    ]


def _tails(site: Site, i: Array, separation: Array, azimuth: Array) -> Knots:
    """Two tails: from the partner on outwards, and from the other side of the galaxy."""
    u, v = site.u.T[..., None], site.v
    number = np.arange(POINTS)
    second, along = number % 2, (number // 2 + v[..., 0]) * 2 / POINTS
    straight, plume = u[8] < STRAIGHT, u[8] >= CURVED
    sweep = np.where(straight, 0.3 * u[9], between(0.8, 2.4, u[9])) * np.where(u[10] < 0.5, -1, 1)
    length = np.where(straight, between(1.0, 4.0, u[11]), between(0.0, 2.5, u[11]))
    radius = separation[:, None] * np.where(second, 0.5, 1.0) + along * length
    angle = azimuth[:, None] + second * (np.pi + between(-1.0, 1.0, u[15])) + along * sweep
    width = (0.06 + 0.15 * along) * np.where(plume, 3.0, 1.0)
    x, y = turned(radius, 0 * radius, angle)
    x, y = x + width * ndtri(v[..., 1]), y + width * ndtri(v[..., 2])
    weight = np.exp(-1.5 * along) * np.where(second, u[12], 1.0)
    colours = site.colours(between(0.1, 0.8, site.u[:, 13]))
    faint = i + less(0.03 * 7 ** site.u[:, 14])
    return knots(faint, colours, weight, (site.x[:, None] + x, site.y[:, None] + y))


def blue_companions(site: Site, brightening: float) -> Impostor:
    """The lens galaxy with one to four small blue galaxies at 0.7–2.5 θ_E.

    As blue as the pair's source and as bright as its arcs. Half of the galaxies are drawn out
    along the circle; in half of the stamps all have one colour; in some, two lie opposite.
    """
    w = np.moveaxis(site.v[:, :12].reshape(-1, 4, 9), 2, 0)  # (number, row, galaxy)
    azimuth, distance = _around(site, w[:2])
    i, (g_r, r_i) = _bright_as_arcs(site, w[2], brightening), _blue_as_sources(site, w[3:5])
    drawn_out = w[5] < 0.5
    q = np.where(drawn_out, between(0.15, 0.5, w[6]), between(0.4, 1.0, w[6]))
    tangential = azimuth + np.pi / 2 + np.radians(15) * ndtri(w[7])
    phi = np.where(drawn_out, tangential, np.pi * w[7])
    length = 0.4 * 10 ** (-0.1 * np.clip(i - 23.5, -2, 2)) * np.exp(0.3 * ndtri(w[8]))
    x, y = turned(distance, 0 * distance, azimuth)
    columns = (i, g_r, r_i, length * np.sqrt(q), q, phi, site.x[:, None] + x, site.y[:, None] + y)
    stars = [
        galaxy(i, (g_r, r_i), radius, 1.0, q, phi, (x, y))
        for i, g_r, r_i, radius, q, phi, x, y in zip(*(each.T for each in columns), strict=True)
    ]
    count = len(site.x)
    return Impostor(joined(count, *stars), no_knots(count), np.ones(count, bool))


def _around(site: Site, w: Array) -> tuple[Array, Array]:
    """Azimuths and distances; in 40 % of the stamps the second lies opposite the first."""
    azimuth = 2 * np.pi * w[0]
    opposite = azimuth[:, 0] + np.pi + np.radians(20) * ndtri(w[0, :, 1])
    azimuth[:, 1] = np.where(site.u[:, 1] < 0.4, opposite, azimuth[:, 1])
    theta_E = np.maximum(np.exp(site.pair["ln_theta_E"]), 0.5)
    return azimuth, theta_E[:, None] * between(0.7, 2.5, w[1])


def _bright_as_arcs(site: Site, w: Array, brightening: float) -> Array:
    """i magnitudes (row, galaxy): 0.5–3 mag brighter than the source; inf where there is none."""
    u = site.u.T
    i = site.pair["i_source"] - between(0.5, 3.0, u[2]) - brightening * u[3]
    present = np.arange(w.shape[1]) < 1 + np.floor(w.shape[1] * u[0])[:, None]
    return np.where(present, i[:, None] + between(-0.7, 0.7, w), np.inf)


def _blue_as_sources(site: Site, w: Array) -> Colours:
    """The source's colours, if it is blue, with a scatter that is small in half of the stamps."""
    scatter = np.where(site.u[:, 4] < 0.5, 0.03, 0.2)[:, None] * ndtri(w)
    g_r = np.minimum(site.pair["g_minus_r_source"], 0.6)[:, None]
    r_i = np.minimum(site.pair["r_minus_i_source"], 0.4)[:, None]
    return g_r + scatter[0], r_i + scatter[1]
