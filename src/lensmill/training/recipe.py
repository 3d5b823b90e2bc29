"""Recipe: a TOML file that says what to simulate and what to train; checked all at once."""

import tomllib
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from lensmill.training.survey_recipe import (
    OWN,
    PRESET,
    BandRecipe,
    Strict,
    SurveyChoice,
    SurveyRecipe,
)

Pair = tuple[float, float]
Shape = tuple[int, int]


class Part(BaseModel):
    """An open part: `name` is a class, everything else its keywords (the constructor checks)."""

    model_config = ConfigDict(extra="allow", frozen=True)
    name: str

    @property
    def keywords(self) -> dict[str, Any]:
        """Everything but the name; arrays are tuples, as constructors say."""
        return {key: _tuples(value) for key, value in (self.model_extra or {}).items()}


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


EXCLUDES = {
    "psf_images": ("psf_fwhm", "band_scatter", "visits", "moffat"),
    "visits": ("psf_fwhm", "band_scatter", "sky_scatter"),
}
"""Keys that say what another key says too."""


class SimulationRecipe(Strict):
    """What is on the sky and how it is observed. A pair is a range to draw from."""

    population: Part = Part(name="Priors")
    survey: SurveyChoice = "lsst_10year"
    """A preset's name, or a survey of your own."""
    seed: int = Field(default=1, ge=0)
    pixel_scale: Pair | None = None
    """arcsec; None: the survey's own."""
    shape: tuple[Shape, Shape] = ((64, 64), (64, 64))
    """Smallest and largest (y, x) of a stamp; each batch draws its own."""
    psf_fwhm: Pair | None = None
    seeing: float = Field(default=1.0, gt=0)
    """Factor on every FWHM, wherever it comes from but PSF images."""
    depth: Pair | None = None
    band_scatter: float = Field(default=0.0, ge=0)
    sky_scatter: float = Field(default=0.0, ge=0)
    visits: bool = False
    """Seeing and sky of every band follow from LSST visits, as many as `depth` says."""
    moffat: Pair | None = None
    """β of Moffat PSFs; None: round Gaussians."""
    psf_ellipticity: float = Field(default=0.0, ge=0, le=0.2)
    """Scatter of e1 and e2 of a Moffat."""
    psf_images: str | None = None
    """File or folder of PSF images, see `lensmill.simulation.psf_library.read_psf_library`."""
    psf_image_scale: float | None = Field(default=None, gt=0)
    """arcsec per pixel of the PSF images; None: the survey's own."""
    bad_pixels: float = Field(default=0.0, ge=0, le=0.1)
    """Share of the pixels that are bad and filled as those of a survey's image."""
    resampled: bool = False
    """Noise is shared between neighbouring pixels, as in coadds of resampled exposures."""

    @model_validator(mode="after")
    def _one_source_each(self) -> "SimulationRecipe":
        for key, others in EXCLUDES.items():
            both = [other for other in others if getattr(self, other)]
            if getattr(self, key) and both:
                raise ValueError(f"{key} leaves nothing to {', '.join(both)}: give one of them")
        if self.psf_ellipticity and not self.moffat:
            raise ValueError("psf_ellipticity is a Moffat's: give moffat = [2.5, 4.5], say, too")
        if self.psf_images and self.seeing != 1:
            raise ValueError("psf_images are as wide as they are: seeing does not change them")
        if self.psf_image_scale and not self.psf_images:
            raise ValueError("psf_image_scale belongs to psf_images, which is missing")
        name = self.survey if isinstance(self.survey, str) else "your own survey"
        if self.visits and not name.startswith("lsst_"):
            raise ValueError(f"visits are those of LSST, not of {name}: choose an lsst_…")
        return self

    @field_validator("moffat")
    @classmethod
    def _finite(cls, value: Pair | None) -> Pair | None:
        if value is not None and not 1 < value[0] <= value[1]:
            raise ValueError("β needs 1 < low ≤ high; a Moffat of β ≤ 1 has no finite flux")
        return value

    @field_validator("pixel_scale", "psf_fwhm", "depth")
    @classmethod
    def _ordered(cls, value: Pair | None) -> Pair | None:
        if value is not None and not 0 < value[0] <= value[1]:
            raise ValueError("a range needs 0 < low ≤ high")
        return value

    @field_validator("shape")
    @classmethod
    def _growing(cls, value: tuple[Shape, Shape]) -> tuple[Shape, Shape]:
        if not all(0 < low <= high for low, high in zip(*value, strict=True)):
            raise ValueError("shapes need 0 < smallest ≤ largest, along y and along x")
        return value


class TrainingRecipe(Strict):
    """How a stage is trained."""

    steps: int = Field(default=100_000, gt=0)
    batch: int = Field(default=16, gt=0)
    optimizer: Literal["adamw", "muon"] = "adamw"
    learning_rate: float = Field(default=1.5e-3, gt=0)
    weight_decay: float = Field(default=1e-3, ge=0)
    warmup: float = Field(default=0.02, ge=0, lt=1)
    """Share of the training in which the learning rate rises."""
    ema: float = Field(default=0.998, ge=0, lt=1)
    pool: int = Field(default=0, ge=0)
    """Batches kept and used again, turned and mirrored; 0 makes every batch anew."""
    examples: int = Field(default=0, ge=0)
    """Systems in all, kept and used again in ever other orders, in whole batches; 0: new ones
    without end. In a step of the first pass are those of one batch that the stage selects; in a
    step of a later one as many, on average."""
    patch: int = Field(default=0, ge=0)
    """Side in pixels of what is cut at random out of kept examples; 0: the whole stamp."""
    fresh_noise: bool = False
    """Kept systems are observed anew at every step; bad pixels are not."""
    halvings: float = Field(default=0.0, ge=0)
    """How often the learning rate is halved over the training, in steps; 0: half a cosine."""
    clip: float = Field(default=1.0, gt=0)
    """Largest gradient norm."""
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"

    @model_validator(mode="after")
    def _one_way_to_keep(self) -> "TrainingRecipe":
        if self.pool and self.examples:
            raise ValueError("pool and examples both say what is kept: give one of them")
        if self.patch and not self.examples:
            raise ValueError("patch is cut out of kept examples: give examples too")
        return self


class StageRecipe(Strict):
    """A stage, its network, and the stages whose output it is trained on."""

    stage: Part
    network: Part
    upstream: tuple[str, ...] = ()
    upstream_share: float = Field(default=1.0, ge=0, le=1)
    """Of a batch's systems, how many are read as the upstream sees them; the rest as they are."""
    training: TrainingRecipe = TrainingRecipe()


class TogetherRecipe(Strict):
    """How trained stages are trained on as one chain."""

    stages: tuple[str, ...] = ("denoise", "deblend", "classify", "regress")
    alone: tuple[str, ...] = ()
    """Stages that learn from the truth too, each by itself."""
    training: TrainingRecipe = TrainingRecipe()

    @model_validator(mode="after")
    def _alone_are_stages(self) -> "TogetherRecipe":
        strangers = set(self.alone) - set(self.stages)
        if strangers:
            raise ValueError(f"alone names {sorted(strangers)}, which are not among its stages")
        return self


class Recipe(Strict):
    """Everything a training needs; `stages` in the order of the pipeline."""

    simulation: SimulationRecipe = SimulationRecipe()
    stages: dict[str, StageRecipe] = Field(default_factory=dict)
    together: TogetherRecipe | None = None

    @model_validator(mode="after")
    def _together_has_its_stages(self) -> "Recipe":
        missing = set(self.together.stages if self.together else ()) - set(self.stages)
        if missing:
            raise ValueError(f"together trains {sorted(missing)}, which are not in stages")
        return self

    @model_validator(mode="after")
    def _fresh_noise_is_white(self) -> "Recipe":
        trainings = [stage.training for stage in self.stages.values()]
        trainings += [self.together.training] if self.together else []
        if self.simulation.resampled and any(each.fresh_noise for each in trainings):
            raise ValueError("fresh_noise is white: resampled has to be left out, or it")
        return self


def parse_recipe(text: str, source: str = "recipe") -> Recipe:
    """The recipe in a TOML text; ValueError lists every mistake with its path."""
    try:
        return Recipe.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{source} is not TOML: {error}") from None
    except ValidationError as error:
        lines = [_mistake(item) for item in error.errors()]
        raise ValueError(f"{source}:\n" + "\n".join(lines)) from None


def shipped_recipes() -> list[str]:
    """The names of the recipes in `lensmill.recipes`."""
    files = (Path(file.name) for file in _shipped().iterdir())
    return sorted(file.stem for file in files if file.suffix == ".toml")


def shipped_recipe(name: str) -> Recipe:
    """The shipped recipe `name`; ValueError lists the choices."""
    if name not in shipped_recipes():
        raise ValueError(f"no recipe {name!r}; shipped: {', '.join(shipped_recipes())}")
    file = f"{name}.toml"
    return parse_recipe(_shipped().joinpath(file).read_text(encoding="utf-8"), file)


def _shipped() -> Traversable:
    return resources.files("lensmill.recipes")


def read_recipe(path: Path) -> Recipe:
    """The recipe in a file, or the shipped one of that name; see `parse_recipe`."""
    if not path.is_file() and not path.suffix and path.name == str(path):
        return shipped_recipe(path.name)
    if not path.is_file():
        raise ValueError(f"no recipe {path}; shipped: {', '.join(shipped_recipes())}")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not TOML: {error}") from None
    return parse_recipe(text, str(path))


def _mistake(item: Any) -> str:
    from difflib import get_close_matches

    path = tuple(part for part in item["loc"] if part not in (PRESET, OWN))
    where = ".".join(map(str, path))
    if item["type"] != "extra_forbidden":
        return f"  {where}: {item['msg']}"
    names = sorted(_model(path).model_fields)
    close = get_close_matches(str(path[-1]), names, 1)
    hint = f"; did you mean {close[0]!r}?" if close else f"; known keys: {', '.join(names)}"
    return f"  {where}: no such key{hint}"


def _model(where: tuple[str, ...]) -> type[Strict]:
    """The table in which a key lies: simulation.KEY, simulation.survey.KEY,
    simulation.survey.bands.NAME.KEY, stages.NAME.KEY, stages.NAME.training.KEY, together.KEY,
    together.training.KEY."""
    if len(where) == 1:
        return Recipe
    if where[0] == "together":
        return TogetherRecipe if len(where) == 2 else TrainingRecipe
    if where[:2] == ("simulation", "survey"):
        return SurveyRecipe if len(where) == 3 else BandRecipe
    if where[0] == "simulation":
        return SimulationRecipe
    return StageRecipe if len(where) == 3 else TrainingRecipe
