"""lenstronomy start: a candidate's posterior as the keyword arguments that lenstronomy fits from.

Conventions are the same (θ_E on the intermediate axis, e1 and e2 with φ from +x, x with the
column, y with the row, arcsec from the stamp's centre), so nothing is converted.
"""

from collections.abc import Mapping
from typing import Any

from lensmill.survey.candidates import Row

MODEL = {
    "lens_model_list": ["SIE"],
    "lens_light_model_list": ["CORE_SERSIC", "SERSIC_ELLIPSE", "GAUSSIAN"],
    "source_light_model_list": ["SERSIC_ELLIPSE"],
}
CENTRE = ["center_x", "center_y"]
CONSTRAINTS = {
    "joint_lens_with_light": [[0, 0, CENTRE]],
    "joint_lens_light_with_lens_light": [[0, 1, CENTRE], [0, 2, CENTRE]],
}
"""The mass and all components of the galaxy share a centre."""
MOST = 0.6
"""Largest |e1| and |e2|."""
CUSPED = 4.0
RADII = {CUSPED: 0.4, 1.0: 1.0}
"""arcsec, where a fit of the galaxy's light begins, by Sérsic index: a middling galaxy's."""
CORE = 0.5
"""Pixels: the bulge's core, and the σ of the Gaussian that holds the light which that lacks.

lenstronomy samples brightness at points, and between them misses the cusp of n = 4: of bright
galaxies the true model was up to 40 σ off, two points a pixel or nine, and the more or less as its
centre moved, so fits ended where that happened to suit.
"""

Kwargs = dict[str, float]


def lenstronomy_start(row: Row, bands: tuple[str, ...]) -> dict[str, Any]:
    """The start of one candidate, ready for JSON: conditions, model, parameters, constraints.

    kwargs_params holds initial values, widths, fixed ones and limits, as lenstronomy's
    FittingSequence takes them. The widths of the mass are the posterior's σ.
    """
    return {
        "id": row["id"],
        "bands": list(bands),
        "pixel_scale": row["pixel_scale"],
        "psf_fwhm": list(row["psf_fwhm"]),
        "sky_sigma": list(row["sky_sigma"]),
        "background": list(row.get("background") or [0.0] * len(bands)),
        "kwargs_model": MODEL,
        "kwargs_params": {
            "lens_model": _lens(row),
            "lens_light_model": _light(row),
            "source_model": _source(row),
        },
        "kwargs_constraints": CONSTRAINTS,
    }


def _lens(row: Row) -> list[list[Kwargs]]:
    first = {"theta_E": row["theta_E"], "e1": row["e1"], "e2": row["e2"]}
    sigma = {
        "theta_E": 0.5 * (row["theta_E_84"] - row["theta_E_16"]),
        "e1": row["e1_error"],
        "e2": row["e2_error"],
    }
    limits = {"theta_E": (0.3 * row["theta_E"], 3 * row["theta_E"])}
    return _listed([_component(first, sigma, {**limits, **_shape()})])


def _light(row: Row) -> list[list[Kwargs]]:
    """Bulge and disk, as elliptical as the mass (light mostly is), and the bulge's cusp."""
    core = CORE * row["pixel_scale"]
    bulge, disk = (
        _component(
            {"e1": row["e1"], "e2": row["e2"], "R_sersic": radius},
            {"e1": 0.1, "e2": 0.1, "R_sersic": 0.2},
            {"R_sersic": (0.05, 5.0), **_shape()},
            {"n_sersic": index, **({"Rb": core, "gamma": 0.0} if index == CUSPED else {})},
        )
        for index, radius in RADII.items()
    )
    return _listed([bulge, disk, _component({}, {}, {}, {"sigma": core})])


def _source(row: Row) -> list[list[Kwargs]]:
    first = {"e1": 0.0, "e2": 0.0, "R_sersic": 0.2}
    sigma = {"e1": 0.1, "e2": 0.1, "R_sersic": 0.1}
    limits = {"R_sersic": (0.02, 1.5), **dict.fromkeys(CENTRE, _about(2 * row["theta_E"]))}
    return _listed([_component(first, sigma, {**limits, **_shape()}, {"n_sersic": 1.0})])


def _component(
    first: Kwargs,
    sigma: Kwargs,
    limits: Mapping[str, tuple[float, float]],
    fixed: Kwargs | None = None,
) -> list[Kwargs]:
    """Initial, width, fixed, lower, upper of one profile, with its centre."""
    fixed = fixed or {}
    limits = {
        **dict.fromkeys(CENTRE, _about(0.5)),
        **limits,
        **{name: (value, value) for name, value in fixed.items()},
    }
    lower, upper = ({name: pair[side] for name, pair in limits.items()} for side in (0, 1))
    centre, width = dict.fromkeys(CENTRE, 0.0), dict.fromkeys(CENTRE, 0.05)
    inside = {
        name: min(max(value, lower[name]), upper[name])
        for name, value in {**centre, **first, **fixed}.items()
    }
    return [inside, {**width, **sigma, **dict.fromkeys(fixed, 0.0)}, fixed, lower, upper]


def _shape() -> dict[str, tuple[float, float]]:
    return dict.fromkeys(("e1", "e2"), _about(MOST))


def _about(size: float) -> tuple[float, float]:
    return -size, size


def _listed(components: list[list[Kwargs]]) -> list[list[Kwargs]]:
    """Components of five, as five lists over components."""
    return [list(each) for each in zip(*components, strict=True)]
