"""PyAutoLens start: a candidate's posterior as the mass profile that PyAutoLens reads.

Its Isothermal has κ = θ_AL / (1+q) / √(x² + y²/q²) along the major axis, so that
θ_E = 2√q/(1+q) θ_AL with ours on the intermediate axis; centres are (y, x), and ell_comps are
(1−q)/(1+q) (sin 2φ, cos 2φ), φ from +x: our (e2, e1).
"""

import math
from typing import Any

from lensmill.survey.candidates import Row

CLASS = "autogalaxy.profiles.mass.total.isothermal.Isothermal"


def einstein_radius_autolens(theta_E: float, q: float) -> float:
    """PyAutoLens' Einstein radius of our θ_E, arcsec."""
    return theta_E * (1 + q) / (2 * math.sqrt(q))


def autolens_start(row: Row, bands: tuple[str, ...]) -> dict[str, Any]:
    """The start of one candidate, ready for JSON.

    mass: what PyAutoLens' `from_dict` makes an Isothermal of. sigma: the widths for Gaussian
    priors on einstein_radius and ell_comps, and for the centre what lens galaxies scatter by.
    """
    size = math.hypot(row["e1"], row["e2"])
    q = (1 - size) / (1 + size)
    width = 0.5 * (row["theta_E_84"] - row["theta_E_16"])
    profile = {
        "centre": _pair(0.0, 0.0),
        "ell_comps": _pair(row["e2"], row["e1"]),
        "einstein_radius": einstein_radius_autolens(row["theta_E"], q),
    }
    return {
        "id": row["id"],
        "bands": list(bands),
        "pixel_scale": row["pixel_scale"],
        "psf_fwhm": list(row["psf_fwhm"]),
        "sky_sigma": list(row["sky_sigma"]),
        "mass": {"type": "instance", "class_path": CLASS, "arguments": profile},
        "sigma": {
            "centre": [0.05, 0.05],
            "ell_comps": [row["e2_error"], row["e1_error"]],
            "einstein_radius": einstein_radius_autolens(width, q),
        },
    }


def _pair(first: float, second: float) -> dict[str, Any]:
    return {"type": "tuple", "values": [first, second]}
