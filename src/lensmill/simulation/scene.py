"""Scene: what is on the sky in each stamp, before any telescope looks at it."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any, get_args, get_type_hints

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from lensmill.physics.kernels import Moffat, PsfImage

KINDS = (
    "lens",
    "unlensed_source",
    "empty",
    "spiral",
    "ring",
    "edge_on",
    "merger",
    "blue_companions",
)
"""What a scene is; `Scene.kind` counts them from 0."""


@dataclass(frozen=True)
class Sersic:
    """Sérsic components of each scene; positions in arcsec from the image's centre."""

    magnitude: Float[Tensor, "*batch component band"]  # AB, total; inf for none
    half_light_radius: Float[Tensor, "*batch component"]  # arcsec, product average of the axes
    index: Float[Tensor, "*batch component"]
    q: Float[Tensor, "*batch component"]
    phi: Float[Tensor, "*batch component"]  # radian from +x
    x: Float[Tensor, "*batch component"]
    y: Float[Tensor, "*batch component"]

    @property
    def over_pixels(self) -> "Sersic":
        """The same with two axes of one, (…, component, 1, 1), to broadcast over (y, x)."""
        magnitude, *others = vars(self).values()
        return Sersic(magnitude[..., None, None, :], *(each[..., None, None] for each in others))


@dataclass(frozen=True)
class Points:
    """Points of light of each scene, seen through the PSF alone: knots, of which arms and rings
    and tails are made.
    """

    magnitude: Float[Tensor, "*batch point band"]  # AB; inf for none
    x: Float[Tensor, "*batch point"]  # arcsec from the image's centre
    y: Float[Tensor, "*batch point"]


@dataclass(frozen=True)
class Mass:
    """A lens per scene; θ_E = 0 is no deflection."""

    theta_E: Float[Tensor, "*batch"]  # noqa: N815 (arcsec)
    q: Float[Tensor, "*batch"]
    phi: Float[Tensor, "*batch"]  # radian from +x
    x: Float[Tensor, "*batch"]
    y: Float[Tensor, "*batch"]
    slope: Float[Tensor, "*batch"] | None = None
    """γ of an elliptical power law; None: isothermal, an SIE."""
    gamma1: Float[Tensor, "*batch"] | None = None
    """External shear γ cos 2φ_γ about the lens; None: no shear."""
    gamma2: Float[Tensor, "*batch"] | None = None


@dataclass(frozen=True)
class Scene:
    """Deflecting mass, light in front of the source plane, and the source behind it."""

    is_lens: Bool[Tensor, " batch"]
    mass: Mass
    foreground: Sersic  # lens galaxy and companions: not deflected
    source: Sersic  # on the source plane: deflected
    redshift_lens: Float[Tensor, " batch"]
    redshift_source: Float[Tensor, " batch"]
    points: Points | None = None  # in front of the source plane: not deflected
    impostor: Int[Tensor, " batch"] | None = None
    """The kind of a scene that is made to be taken for a lens; 0 for others."""

    @property
    def kind(self) -> Int[Tensor, " batch"]:
        """Which of `KINDS` each scene is."""
        lit = self.source.magnitude.isfinite().flatten(1).any(1)
        plain = torch.where(self.is_lens, 0, torch.where(lit, 1, 2))
        if self.impostor is None:
            return plain
        return torch.where(self.impostor > 0, self.impostor, plain)


@dataclass(frozen=True)
class Conditions:
    """How each scene is observed; all per scene and band."""

    psf_fwhm: Float[Tensor, "batch band"]  # arcsec
    zero_point: Float[Tensor, "batch band"]  # AB mag of one e⁻ in the coadd
    sky_sigma: Float[Tensor, "batch band"]  # e⁻ per pixel
    psf: Moffat | PsfImage | None = None
    """Shape of the PSF; None: a round Gaussian."""


def as_tensor(array: NDArray[np.float64]) -> Tensor:
    """float32 tensor of a population's float64 draw."""
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))


def join(*parts: Sersic) -> Sersic:
    """The components of all `parts`, one after another."""
    names = [f.name for f in fields(Sersic)]
    return Sersic(*(torch.cat([getattr(part, name) for part in parts], 1) for name in names))


def mapped(part: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """A scene, or a part of one, with every tensor changed."""
    if part is None:
        return None
    if isinstance(part, Tensor):
        return change(part)
    return type(part)(*(mapped(getattr(part, f.name), change) for f in fields(part)))


def on_device(part: Any, device: torch.device) -> Any:
    """A scene, or a part of one, with every tensor on `device`."""
    return mapped(part, lambda tensor: tensor.to(device))


def selected(part: Any, rows: Int[Tensor, " row"]) -> Any:
    """The `rows` of a batch of scenes, or of parts of scenes."""
    return mapped(part, lambda tensor: tensor[rows])


def flattened(part: Any, prefix: str = "") -> dict[str, Tensor]:
    """{"mass/theta_E": tensor, …} of a scene, or a part of one; what is None is left out."""
    found: dict[str, Tensor] = {}
    for name, value in ((prefix + f.name, getattr(part, f.name)) for f in fields(part)):
        if isinstance(value, Tensor):
            found[name] = value
        elif value is not None:
            found |= flattened(value, f"{name}/")
    return found


def unflattened(kind: Any, tensors: Mapping[str, Tensor], prefix: str = "") -> Any:
    """The `kind` (a scene, or a part of one) that `flattened` took apart.

    A field that is missing has its default; one without is a KeyError.
    """
    values, hints = {}, get_type_hints(kind)
    for field in fields(kind):
        name = prefix + field.name
        below = [key[len(name) + 1 :] for key in tensors if key.startswith(f"{name}/")]
        inner = _dataclass_in(hints[field.name], {key.split("/")[0] for key in below})
        if not below and name not in tensors and field.default is not MISSING:
            values[field.name] = field.default
        else:
            values[field.name] = unflattened(inner, tensors, f"{name}/") if inner else tensors[name]
    return kind(**values)


def _dataclass_in(hint: Any, names: set[str]) -> Any:
    """The dataclass with fields `names` that a field's type is, or may be; None for a tensor."""
    kinds = [each for each in (hint, *get_args(hint)) if is_dataclass(each)]
    return next((each for each in kinds if names <= {f.name for f in fields(each)}), None)
