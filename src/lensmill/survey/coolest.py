"""COOLEST: a candidate's posterior as the exchange standard of lens modellers (Galan et al. 2023).

The catalogue speaks its conventions already: θ_E on the intermediate axis, angles from +y.
"""

from typing import Any

from lensmill import __version__
from lensmill.survey.candidates import Row

COSMOLOGY = {"H0": 70.0, "Om0": 0.3, "astropy_name": "FlatLambdaCDM"}
"""That of the simulations; nothing in the model depends on it."""
META = ("p_lens", "e1", "e1_error", "e2", "e2_error", "source_snr", "flags", "weights")
NOTE = (
    "Posterior of a neural network; medians and central 68 %, of phi the mean axis and half of its "
    "68 %, which may pass 90 degrees. Angles are of the image, not of the sky. No shear, redshift "
    "or light profile was inferred; the mass is centred on the stamp."
)


def coolest(row: Row, bands: tuple[str, ...]) -> dict[str, Any]:
    """The COOLEST template of one candidate, observed in the sharpest of its `bands`."""
    number = min(range(len(bands)), key=lambda number: row["psf_fwhm"][number])
    return {
        "mode": "MAP",
        "standard": "COOLEST",
        "coordinates_origin": _origin(row),
        "cosmology": COSMOLOGY,
        "instrument": _instrument(row, bands[number], row["psf_fwhm"][number]),
        "observation": _observation(row["sky_sigma"][number]),
        "lensing_entities": [_lens(row), _galaxy("source", 1)],
        "meta": {
            "lensmill": __version__,
            "id": row["id"],
            "note": NOTE,
            **{name: row[name] for name in META},
        },
    }


def _origin(row: Row) -> dict[str, str]:
    """The stamp's centre on the sky; 0, 0 where its file has no WCS."""
    from astropy.coordinates import SkyCoord

    centre = SkyCoord(row["ra"] or 0.0, row["dec"] or 0.0, unit="deg")
    ra, dec = centre.to_string(style="hmsdms").split(" ")
    return {"ra": ra, "dec": dec}


def _instrument(row: Row, band: str, fwhm: float) -> dict[str, Any]:
    """COOLEST's Gaussian is as wide as so many pixels."""
    psf = {"type": "GaussianPSF", "fwhm": fwhm / row["pixel_scale"], "description": None}
    return {
        "name": "",
        "band": band,
        "pixel_size": row["pixel_scale"],
        "readout_noise": 0.0,
        "psf": psf,
    }


def _observation(sky_sigma: float) -> dict[str, Any]:
    nothing = {"fits_file": {"path": None}, "num_pix_x": 0, "num_pix_y": 0}
    return {
        "pixels": {**nothing, "field_of_view_x": [0, 0], "field_of_view_y": [0, 0]},
        "noise": {"type": "UniformGaussianNoise", "std_dev": sky_sigma},
        "exposure_time": None,
        "mag_zero_point": None,
        "mag_sky_brightness": None,
    }


def _lens(row: Row) -> dict[str, Any]:
    angle, half = row["position_angle_deg"], row["position_angle_error_deg"]
    parameters = {
        "theta_E": _posterior(row["theta_E"], row["theta_E_16"], row["theta_E_84"]),
        "q": _posterior(row["q"], row["q_16"], row["q_84"]),
        "phi": _posterior(angle, angle - half, angle + half),
        "center_x": _assumed(0.0),
        "center_y": _assumed(0.0),
    }
    return _galaxy("lens", 0, {"SIE": parameters})


def _galaxy(name: str, number: int, mass: dict[str, Any] | None = None) -> dict[str, Any]:
    """A galaxy without light, at an unknown redshift; COOLEST numbers what it is made of."""
    profiles = []
    for k, (kind, parameters) in enumerate((mass or {}).items()):
        identity = f"{number}-galaxy-mass-{k}-{kind}"
        named = {key: {"id": f"{identity}-{key}", **value} for key, value in parameters.items()}
        profiles.append({"type": kind, "id": identity, "parameters": named})
    return {
        "type": "Galaxy",
        "name": name,
        "redshift": None,
        "light_model": [],
        "mass_model": profiles,
    }


def _posterior(median: float, low: float, high: float) -> dict[str, Any]:
    statistics = {"mean": None, "median": median, "percentile_16th": low, "percentile_84th": high}
    return {**_assumed(median), "fixed": False, "posterior_stats": statistics}


def _assumed(value: float) -> dict[str, Any]:
    unknown = dict.fromkeys(("mean", "median", "percentile_16th", "percentile_84th"))
    return {
        "point_estimate": {"value": value},
        "fixed": True,
        "posterior_stats": unknown,
        "prior": {"type": None},
    }
