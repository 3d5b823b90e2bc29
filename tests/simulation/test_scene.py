"""Scene: taken apart into named tensors and put together again, whatever its optional parts."""

from dataclasses import dataclass, fields

import pytest
import torch
from torch import Tensor

from lensmill.physics.kernels import PsfImage
from lensmill.physics.surveys import preset
from lensmill.simulation.observing import Observing
from lensmill.simulation.population.priors import Priors
from lensmill.simulation.scene import (
    Conditions,
    Mass,
    Scene,
    Sersic,
    flattened,
    selected,
    unflattened,
)


@dataclass(frozen=True)
class Richer:
    """A scene as it may become: more parts, some of them optional."""

    scene: Scene
    halo: Mass | None = None
    extra: Sersic | None = None
    angle: Tensor | None = None


@pytest.fixture
def scene():
    scene = Priors(shear_scatter=0.05, slope_scatter=0.1).draw(5, torch.arange(7))
    assert scene.mass.slope is not None
    return scene


@pytest.fixture
def plain():
    return Priors().draw(5, torch.arange(7))


def _equal(a, b):
    a, b = flattened(a), flattened(b)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_names_say_where_a_tensor_belongs(scene, plain):
    names = flattened(scene)
    assert {"is_lens", "mass/theta_E", "mass/gamma1", "foreground/magnitude"} <= names.keys()
    assert names["mass/slope"] is scene.mass.slope
    assert names.keys() - flattened(plain).keys() == {"mass/slope", "mass/gamma1", "mass/gamma2"}
    assert all(name.startswith("scene/") for name in flattened(scene, "scene/"))


def test_what_was_taken_apart_is_put_together(scene, plain):
    conditions = Observing(preset("lsst_10year")).draw(5, torch.arange(7), 0.2)
    for part in (scene, plain, conditions):
        assert _equal(unflattened(type(part), flattened(part)), part)
    assert unflattened(Scene, flattened(plain)).mass.slope is None


@pytest.mark.parametrize("psf", ["gaussian", "moffat", "image"])
def test_conditions_with_each_kind_of_psf(psf):
    """A field may be of one dataclass or of another."""
    observing = Observing(preset("lsst_10year"), moffat=(2.5, 4.5) if psf == "moffat" else None)
    conditions = observing.draw(5, torch.arange(7), 0.2)
    if psf == "image":
        image = PsfImage(torch.rand(7, 3, 11, 13), torch.full((7, 3), 0.2))
        conditions = Conditions(**{**vars(conditions), "psf": image})
    back = unflattened(Conditions, flattened(conditions))
    assert type(back.psf) is type(conditions.psf)
    assert _equal(back, conditions)


@pytest.mark.parametrize("change", [{}, {"halo": "mass"}, {"angle": "angle"}, {"extra": "source"}])
def test_parts_that_others_add(plain, change):
    parts = {"mass": plain.mass, "source": plain.source, "angle": torch.rand(7)}
    richer = Richer(plain, **{field: parts[name] for field, name in change.items()})
    back = unflattened(Richer, flattened(richer))
    assert _equal(back, richer)
    absent = {f.name for f in fields(Richer)} - {"scene"} - change.keys()
    assert all(getattr(back, name) is None for name in absent)


def test_a_part_that_must_be_there(plain):
    with pytest.raises(KeyError, match="theta_E"):
        unflattened(Scene, {k: v for k, v in flattened(plain).items() if k != "mass/theta_E"})


def test_selected_scenes_are_those_rows(scene):
    rows = torch.tensor([1, 0])
    chosen, whole = flattened(selected(scene, rows)), flattened(scene)
    assert chosen.keys() == whole.keys()
    assert all(torch.equal(chosen[name], whole[name][rows]) for name in whole)
