"""Contracts: what every network and every stage promises, checked on ours and on yours.

    check_network(MyNetwork, "image")       # (in_channels, out_channels) -> module
    check_stage(MyStage(network), batch)    # a batch from the simulator, three examples or more

An AssertionError says which promise is broken. Parameters are disturbed first, on a copy, so that
layers that start at zero hide nothing.
"""

import copy
from collections.abc import Callable
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

from lensmill.quantities import ALL, Batch
from lensmill.stages.base import NetworkFactory, Stage

Kind = Literal["image", "vector"]
CHANNELS = ((3, 2), (5, 7))
SHAPES = ((32, 45), (37, 34), (64, 33))
Module = TypeVar("Module", bound=nn.Module)
UNIT = 3.7
"""One image unit in another; stages must not notice."""


def check_network(factory: NetworkFactory, kind: Kind = "image") -> None:
    """The contract of networks: `kind` says whether an image or a vector comes out."""
    for channels in CHANNELS:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = _disturbed(factory(*channels))
        for shape in SHAPES:
            _check_output(network, channels, shape, kind)
    image = _noise(3, CHANNELS[-1][0], *SHAPES[0])
    _check_same_again(network, image)
    _check_independent_items(network, image)
    _check_learns("network", network, network(image))


def check_stage(stage: Stage, batch: Batch) -> None:
    """The contract of stages. `batch` holds what the stage reads and the truth it learns."""
    _require(_count(batch) >= 3, "check_stage needs a batch of three examples or more")
    stage = _disturbed(stage)
    for check in _STAGE_CHECKS:
        check(stage, batch)


# --- networks


def _check_output(
    network: nn.Module, channels: tuple[int, int], shape: tuple[int, int], kind: Kind
) -> None:
    what = f"{channels[0]} → {channels[1]} channels, images of {shape[0]}×{shape[1]} pixels"
    expected = (2, channels[1], *shape) if kind == "image" else (2, channels[1])
    for image in (_noise(2, channels[0], *shape), torch.zeros(2, channels[0], *shape)):
        try:
            output = network(image)
        except Exception as error:
            raise AssertionError(f"the network fails on {what}: {error}") from error
        found = tuple(output.shape)
        _require(found == expected, f"the network made {found}, not {expected}, of {what}")
        _require(output.dtype == torch.float32, f"the network made {output.dtype}, not float32")
        _require(bool(output.isfinite().all()), f"the network's output is not finite on {what}")


def _check_same_again(network: nn.Module, image: Tensor) -> None:
    same = torch.equal(network(image), network(image))
    _require(same, "the network gives different outputs for one input in evaluation mode")


def _check_independent_items(network: nn.Module, image: Tensor) -> None:
    rows = torch.tensor([2, 0])
    same = _close(network(image[rows]), network(image)[rows])
    _require(same, "the network's output for an image depends on the others in its batch")


# --- stages


def _check_declaration(stage: Stage, batch: Batch) -> None:
    """`predict` needs what is read and adds what is written, no more and no less."""
    given = {name: value.clone() for name, value in _reads(stage, batch).items()}
    try:
        predicted = stage.predict(given)
    except KeyError as error:
        raise AssertionError(f"the stage reads {error}, which `reads` does not declare") from None
    added, declared = predicted.keys() - given.keys(), {q.name for q in stage.writes}
    _require(
        added == declared - given.keys(),
        f"the stage writes {sorted(added)}; `writes` declares {sorted(declared)}",
    )
    for name, value in _reads(stage, batch).items():
        kept = torch.equal(given[name], value)
        _require(kept, f"the stage changes {name!r} in the batch that it was handed")


def _check_learning(stage: Stage, batch: Batch) -> None:
    """Of the truth, nothing but what `learns` declares is needed."""
    predicted = stage.predict(batch)
    declared = {quantity.name: batch[quantity.name] for quantity in stage.learns}
    try:
        stage.select(declared)
        stage.loss(stage(batch), declared)
        stage.metrics(predicted, declared)
    except KeyError as error:
        message = f"the stage learns from {error}, which `learns` does not declare"
        raise AssertionError(message) from None


def _check_axes(stage: Stage, batch: Batch) -> None:
    """What is written has the axes that its quantity states, is float32, and is finite."""
    sizes = {"batch": _count(batch), "band": len(stage.bands)}
    for quantity in stage.reads:
        sizes |= dict(zip(quantity.axes, batch[quantity.name].shape, strict=True))
    predicted = stage.predict(batch)
    for quantity in stage.writes:
        value, name = predicted[quantity.name], quantity.name
        found = f"{name!r} has the shape {tuple(value.shape)}, not {quantity.axes}"
        _require(value.ndim == len(quantity.axes), found)
        for axis, size in zip(quantity.axes, value.shape, strict=True):
            _require(sizes.setdefault(axis, size) == size, f"{found} with {axis} = {sizes[axis]}")
        _require(value.dtype == torch.float32, f"{name!r} is {value.dtype}, not float32")
        _require(bool(value.isfinite().all()), f"{name!r} is not finite")


def _check_refusal(stage: Stage, batch: Batch) -> None:
    for quantity in stage.reads:
        partial = {k: v for k, v in _reads(stage, batch).items() if k != quantity.name}
        try:
            stage.predict(partial)
        except ValueError as error:
            named = quantity.name in str(error)
            _require(named, f"the error without {quantity.name!r} does not name it: {error}")
        except Exception as error:
            message = f"without {quantity.name!r} there is {error!r}, not a ValueError"
            raise AssertionError(message) from error
        else:
            raise AssertionError(f"the stage predicts without {quantity.name!r}, which it reads")


def _check_no_peeking(stage: Stage, batch: Batch) -> None:
    """Whatever else lies in the batch, the truth above all, changes nothing."""
    beside = {name: torch.full(value.shape, torch.nan) for name, value in batch.items()}
    expected = _written(stage, _reads(stage, batch))
    found = _written(stage, {**beside, **_reads(stage, batch)})
    for name, value in expected.items():
        same = torch.equal(found[name], value)
        _require(same, f"{name!r} depends on quantities that `reads` does not declare")


def _check_units(stage: Stage, batch: Batch) -> None:
    """Counts, nJy and electrons are all the same: images scale, everything else stays."""
    quantities = (*ALL, *stage.reads, *stage.writes)
    factor = {quantity.name: UNIT for quantity in quantities if quantity.unit == "image"}
    expected = _written(stage, batch)
    scaled = {name: value * factor.get(name, 1.0) for name, value in batch.items()}
    for name, value in _written(stage, scaled).items():
        same = _close(value, expected[name] * factor.get(name, 1.0))
        _require(same, f"{name!r} depends on the unit of the images")
    same = _close(stage.loss(stage(scaled), scaled), stage.loss(stage(batch), batch))
    _require(same, "the loss depends on the unit of the images")


def _check_independent_examples(stage: Stage, batch: Batch) -> None:
    rows = torch.tensor([2, 0])
    few = {name: value[rows] for name, value in batch.items()}
    expected = _written(stage, batch)
    for name, value in _written(stage, few).items():
        same = _close(value, expected[name][rows])
        _require(same, f"an example's {name!r} depends on the others in its batch")
    same = _close(stage.loss(stage(few), few), stage.loss(stage(batch), batch)[rows])
    _require(same, "an example's loss depends on the others in its batch")


def _check_same_prediction_again(stage: Stage, batch: Batch) -> None:
    first, second = _written(stage, batch), _written(stage, batch)
    for name, value in first.items():
        same = torch.equal(second[name], value)
        _require(same, f"the stage gives different {name!r} for one batch in evaluation mode")


def _check_loss(stage: Stage, batch: Batch) -> None:
    loss = stage.loss(stage(batch), batch)
    found = tuple(loss.shape)
    _require(found == (_count(batch),), f"the loss has the shape {found}, not one per example")
    _require(bool(loss.isfinite().all()), f"the loss is not finite: {loss.tolist()}")
    _check_learns("stage", stage, loss)


def _check_selection(stage: Stage, batch: Batch) -> None:
    chosen = stage.select(batch)
    right = chosen.dtype == torch.bool and tuple(chosen.shape) == (_count(batch),)
    found = f"{chosen.dtype} of shape {tuple(chosen.shape)}"
    _require(right, f"`select` gives {found}, not one bool per example")


def _check_metrics(stage: Stage, batch: Batch) -> None:
    """One value per example, finite where the stage is trained."""
    chosen = stage.select(batch)
    for name, value in stage.metrics(stage.predict(batch), batch).items():
        found = tuple(value.shape)
        _require(found == (_count(batch),), f"the metric {name!r} has {found}, not one per example")
        _require(value.is_floating_point(), f"the metric {name!r} is {value.dtype}, not a float")
        finite = bool(value[chosen].isfinite().all())
        _require(finite, f"the metric {name!r} is not finite on examples it is trained on")


def _check_state(stage: Stage, batch: Batch) -> None:
    """All that was learnt is in the state dict: a scrambled copy that loads it predicts alike."""
    expected = _written(stage, batch)
    for path, module in stage.named_modules():
        loose = [name for name, value in vars(module).items() if isinstance(value, Tensor)]
        where = f"of {path!r}" if path else "of the stage"
        _require(not loose, f"tensors {loose} {where} are neither parameters nor buffers")
    other = _disturbed(stage, 1.0)
    other.load_state_dict(stage.state_dict())
    for name, value in _written(other, batch).items():
        same = torch.equal(value, expected[name])
        _require(same, f"{name!r} differs after a round trip through the state dict")


_STAGE_CHECKS: tuple[Callable[[Stage, Batch], None], ...] = (
    _check_declaration,
    _check_axes,
    _check_refusal,
    _check_same_prediction_again,
    _check_no_peeking,
    _check_loss,
    _check_units,
    _check_independent_examples,
    _check_selection,
    _check_metrics,
    _check_state,
    _check_learning,
)


# --- both


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise AssertionError(message)


def _check_learns(what: str, module: nn.Module, output: Tensor) -> None:
    """The gradient of `output` reaches every parameter."""
    module.zero_grad()
    (output * _noise(*output.shape)).sum().backward()
    for name, parameter in module.named_parameters():
        gradient = parameter.grad
        reached = gradient is not None and bool(gradient.any()) and bool(gradient.isfinite().all())
        _require(reached or not parameter.requires_grad, f"the {what} never learns {name}")


def _disturbed(module: Module, size: float = 0.02) -> Module:
    """A copy in evaluation mode, `size` times noise added to every parameter."""
    other = copy.deepcopy(module).eval()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(size * _noise(*parameter.shape))
    return other


def _noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def _count(batch: Batch) -> int:
    return min((len(value) for value in batch.values()), default=0)


def _reads(stage: Stage, batch: Batch) -> dict[str, Tensor]:
    return {quantity.name: batch[quantity.name] for quantity in stage.reads}


def _written(stage: Stage, batch: Batch) -> dict[str, Tensor]:
    with torch.no_grad():
        predicted = stage.predict(batch)
    return {quantity.name: predicted[quantity.name] for quantity in stage.writes}


def _close(value: Tensor, expected: Tensor) -> bool:
    """Equal to a thousandth of the largest."""
    return bool((value - expected).abs().max() <= 1e-3 * expected.abs().max() + 1e-6)
