"""Doctor: is this installation well? Versions, machine, weights, and a test of the whole chain."""

import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import monotonic

import torch

from lensmill import __version__
from lensmill.evaluation.files import read_json
from lensmill.evaluation.metrics import linear_psnr
from lensmill.provenance import commit
from lensmill.survey.chain import Chain, load_chain
from lensmill.training.loader import Loader
from lensmill.training.recipe import SimulationRecipe
from lensmill.weights import FOLDER

PACKAGES = ("torch", "numpy", "scipy", "astropy", "pyarrow", "pydantic", "safetensors", "pillow")
SYSTEMS = 8
GAIN = 3.0
"""dB by which denoising must raise the PSNR of simulated images, in the median."""
GIB = 2**30


@dataclass(frozen=True)
class Finding:
    """What was looked at, what was seen, and whether it is as it should be."""

    name: str
    seen: str
    well: bool = True


def doctor(
    weights: Path | None = None, *, device: str = "cpu", trust: bool = False
) -> Iterator[Finding]:
    """What there is to say, one finding after another; the last is the test of the chain.

    Whatever goes wrong is a finding that is not well, never an exception.
    """
    steps: dict[str, Callable[[], str]] = {
        "lensmill": lambda: f"{__version__} ({commit() or 'no checkout'})",
        "python": lambda: f"{platform.python_version()} on {platform.platform()}",
        "packages": lambda: ", ".join(f"{name} {_version(name)}" for name in PACKAGES),
        "device": lambda: _device(device),
        "threads": lambda: f"{torch.get_num_threads()} of {os.cpu_count()} processors",
        "memory": _memory,
        "weights": lambda: _weights(weights or FOLDER, trust),
        "self-test": lambda: _self_test(load_chain(weights, trust), device),
    }
    for name, look in steps.items():
        yield _finding(name, look)


def _finding(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, look())
    except Exception as error:  # whatever it is, that is what the doctor is for
        return Finding(name, f"{type(error).__name__}: {error}", well=False)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        raise ValueError(f"{package} is not installed") from None


def _device(name: str) -> str:
    if not name.startswith("cuda"):
        return f"{name} ({torch.backends.cpu.get_cpu_capability()})"
    free, total = torch.cuda.mem_get_info(name)
    return f"{name}: {torch.cuda.get_device_name(name)}, {free / GIB:.1f} of {total / GIB:.1f} GiB"


def _memory() -> str:
    """Physical memory, and how much of it is free where the system says so."""
    page = os.sysconf("SC_PAGE_SIZE")
    total = f"{os.sysconf('SC_PHYS_PAGES') * page / GIB:.1f} GiB"
    if "SC_AVPHYS_PAGES" not in os.sysconf_names:
        return total
    return f"{os.sysconf('SC_AVPHYS_PAGES') * page / GIB:.1f} free of {total}"


def _weights(folder: Path, trust: bool) -> str:
    """The digest of each file; ValueError where a card says another one."""
    digests = load_chain(folder, trust).digests
    for name, digest in digests.items():
        stated = _stated(folder / f"{name}.json")
        if stated not in (None, digest):
            raise ValueError(f"{folder / name}.safetensors is {digest}, its card says {stated}")
    return f"{folder}: " + ", ".join(f"{name} {digest}" for name, digest in digests.items())


def _stated(card: Path) -> str | None:
    if not card.is_file():
        return None
    found: str | None = read_json(card).get("shipped", {}).get("digest")
    return found


def _self_test(chain: Chain, device: str) -> str:
    """Simulate, run the chain: everything finite, images better than before; ValueError if not."""
    start = monotonic()
    recipe = SimulationRecipe.model_validate(chain.trained_on)
    truth = Loader.of(recipe, SYSTEMS, "test", device)(0, device)
    chain.pipeline.to(device)
    with torch.inference_mode():
        predicted = chain.pipeline.predict(truth)
    broken = [name for name, value in predicted.items() if not value.isfinite().all()]
    if broken:
        raise ValueError(f"the chain writes numbers that are not finite: {', '.join(broken)}")
    images = truth["noisy"], predicted["clean"]
    before, after = (linear_psnr(image, truth["clean"], truth["sky_sigma"]) for image in images)
    gain = float((after - before).median())
    if not gain > GAIN:
        raise ValueError(f"denoising gains {gain:.1f} dB, less than the {GAIN:g} dB it should")
    return f"{SYSTEMS} systems, PSNR {gain:+.1f} dB, all finite, {monotonic() - start:.1f} s"
