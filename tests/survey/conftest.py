"""Weights that know nothing but fit, and small folders of stamps."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lensmill.grid import Grid
from lensmill.physics.surveys import LSST_10YEAR
from lensmill.simulation.observing import Observing
from lensmill.simulation.population.priors import Priors
from lensmill.simulation.simulator import Simulator
from lensmill.survey.catalogue import as_table, write_catalogue
from lensmill.survey.demo import write_stamps
from lensmill.training.build import build_stage
from lensmill.training.checkpoint import save_stage
from lensmill.training.recipe import parse_recipe

RECIPES = Path(__file__).parents[2] / "src/lensmill/recipes"


def untrained(folder: Path, bands: tuple[str, ...] = ("g", "r", "i")) -> Path:
    """Untrained stages of smoke.toml, with cards."""
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    recipe = parse_recipe((RECIPES / "smoke.toml").read_text())
    for name, stage_recipe in recipe.stages.items():
        part = stage_recipe.stage.model_copy(update={"bands": bands})
        changed = stage_recipe.model_copy(update={"stage": part})
        save_stage(folder / f"{name}.safetensors", build_stage(changed), changed)
        card = {"recipe": recipe.model_dump(mode="json")}
        (folder / f"{name}.json").write_text(json.dumps(card))
    return folder


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of untrained weights for g, r, i."""
    return untrained(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def write_weights() -> Callable[..., Path]:
    """Writes untrained weights into a folder, for any bands."""
    return untrained


@pytest.fixture
def stamps(tmp_path: Path) -> Path:
    """A folder of five simulated stamps, 37×41 pixels."""
    simulator = Simulator(Priors(), Observing(LSST_10YEAR), Grid((37, 41), 0.2))
    write_stamps(tmp_path / "stamps", simulator(5, torch.arange(5)), ("g", "r", "i"))
    return tmp_path / "stamps"


@pytest.fixture
def candidate_rows() -> list[dict[str, object]]:
    """Catalogue rows: a likely lens, an unlikely one, a broken file; (e1, e2) tell q and φ."""
    likely = {
        "id": "J01/<a>",
        "source": "a.fits",
        "ra": 150.1,
        "dec": 2.2,
        "p_lens": 0.9,
        "theta_E": 1.25,
        "theta_E_16": 1.2,
        "theta_E_84": 1.32,
        "e1": -0.12,
        "e1_error": 0.02,
        "e2": 0.05,
        "e2_error": 0.03,
        "q": 0.77,
        "q_16": 0.72,
        "q_84": 0.81,
        "position_angle_deg": -11.3,
        "position_angle_error_deg": 4.0,
        "source_snr": 30.0,
        "pixel_scale": 0.2,
        "psf_fwhm": [0.9, 0.7, 0.8],
        "sky_sigma": [2.0, 3.0, 5.0],
        "flags": "",
        "weights": "abc",
    }
    unlikely = {**likely, "id": "J02", "p_lens": 0.1, "theta_E": 0.8, "ra": 150.2}
    return [unlikely, likely, {"id": "broken", "source": "b.fits", "reason": "not FITS"}]


@pytest.fixture
def finished(tmp_path: Path, candidate_rows: list[dict[str, object]]) -> Path:
    """What a finished run of `candidate_rows` leaves."""
    folder = tmp_path / "run"
    folder.mkdir()
    write_catalogue(as_table(candidate_rows), folder / "catalogue.parquet")
    (folder / "run.json").write_text(json.dumps({"bands": ["g", "r", "i"]}))
    return folder
