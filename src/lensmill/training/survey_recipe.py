"""Survey recipe: a survey by its preset's name, or one of your own in full."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag


class Strict(BaseModel):
    """A table of a recipe: it takes no key that it does not know, and finite numbers alone."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class BandRecipe(Strict):
    """One band of a survey of your own."""

    zero_point: float
    """AB mag of 1 e⁻/s."""
    sky_brightness: float
    """mag / arcsec²."""
    psf_fwhm: float = Field(gt=0)
    """arcsec."""
    visits: float = Field(default=1, gt=0)
    exposure_time: float = Field(gt=0)
    """s, per visit."""
    read_noise: float = Field(ge=0)
    """e⁻ per read."""
    reads: int = Field(default=1, ge=1)
    """Per visit."""


class SurveyRecipe(Strict):
    """A survey of your own, in the place of a preset's name; bands in the population's order."""

    pixel_scale: float = Field(gt=0)
    """arcsec."""
    bands: dict[str, BandRecipe]


PRESET, OWN = "(preset)", "(own)"
"""Tags that pydantic puts into the path of a mistake."""


def _named_or_own(value: Any) -> str:
    """Which of the two a survey is, so that mistakes are told of that one alone."""
    return OWN if isinstance(value, dict | SurveyRecipe) else PRESET


SurveyChoice = Annotated[
    Annotated[str, Tag(PRESET)] | Annotated[SurveyRecipe, Tag(OWN)], Discriminator(_named_or_own)
]
