"""The information limit of the paper's systems, and whether a fit reaches it.

    python benchmarks/limits.py [SYSTEMS] [REALISATIONS]

`lensmill.limits` on SYSTEMS systems of paper.toml; then, of the first lenses with sources of S/N
50 and more, REALISATIONS noise realisations each, fitted from the truth on by Gauss–Newton: the
scatter of the estimates over the limit is to be 1. Writes benchmarks/results/limits.json.
"""

import json
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from lensmill.evaluation.information import Bound, Telescope, jacobian
from lensmill.evaluation.limits import limits
from lensmill.evaluation.parameters import MASS, Ensemble, Prior, in_double, scene_of, values_of
from lensmill.physics.noise import observe
from lensmill.provenance import provenance
from lensmill.simulation.scene import Conditions, Scene, selected
from lensmill.simulation.shards import FIRST_INDEX
from lensmill.simulation.simulator import Simulator
from lensmill.training.build import build_grids, build_simulator
from lensmill.training.recipe import SimulationRecipe, parse_recipe

RESULTS = Path(__file__).parent / "results" / "limits.json"
BRIGHT = 50.0
FITTED = 4
STEPS = 4
TOGETHER = 8
DRAWS = 4096


@dataclass(frozen=True)
class Fits:
    """Errors of fits to realisations of one system, over the limit."""

    parameters: Float[Tensor, "realisation 3"]  # ln θ_E, e1, e2: over their least scatter
    clean: Float[Tensor, " realisation"]  # mean squared error over the least
    source: Float[Tensor, " realisation"]


def fits(
    scene: Scene,
    telescope: Telescope,
    prior: Prior,
    noise: Float[Tensor, "realisation band y x"],
    centre: Float[Tensor, "realisation direction"],
    steps: int = STEPS,
) -> Fits:
    """Maximum a posteriori by Gauss–Newton, from the truth on.

    scene, telescope: the same system once for each realisation. noise, centre: standard normals, of
    the image and of the prior's centre about the truth, which is like drawing the truth about the
    prior's centre.
    """
    truth = telescope.images(scene)
    variance, start = telescope.variance(truth[0]), values_of(scene)
    observed = observe(truth[0], telescope.conditions.sky_sigma, noise)
    now, moved = scene, torch.zeros_like(centre)
    bound = least = Bound.of(jacobian(now, telescope, prior.free), variance, prior)
    for step in range(steps):
        if step:
            bound = Bound.of(jacobian(now, telescope, prior.free), variance, prior)
        residual = (observed - telescope.images(now)[0]) / variance
        pull = torch.einsum("rdbyx,rbyx->rd", bound.clean, residual)
        pull = pull + torch.einsum("rzd,rz->rd", bound.whitened, centre - moved)
        moved = moved + torch.einsum("rzd,rd->rz", bound.whitened, pull)
        now = scene_of(start.index_add(1, prior.free, moved @ prior.root.mT), scene)
    off = (values_of(now) - start)[:, prior.free] / least.sigma()
    found, sky = telescope.images(now), telescope.conditions.sky_sigma[..., None, None]
    clean, source = (
        ((image - true) / sky).square().mean((1, 2, 3))
        / (root / sky[:, None]).square().sum(1).mean((1, 2, 3))
        for image, true, root in zip(found, truth, (least.clean, least.source), strict=True)
    )
    return Fits(off[:, :3], clean, source)


def fit_bright(
    recipe: SimulationRecipe, ensemble: Ensemble, systems: int, count: int
) -> list[Fits]:
    """Fits to `count` realisations of each of the first `systems` bright lenses."""
    grid = build_grids(recipe).draw(recipe.seed, FIRST_INDEX["test"])
    simulator = build_simulator(recipe).on(grid)
    indices = FIRST_INDEX["test"] + torch.arange(64)
    scenes, conditions = simulator.draw(recipe.seed, indices)
    snr = simulator.image(scenes, conditions, recipe.seed, indices)["source_snr"]
    bright = (scenes.is_lens & (snr > BRIGHT)).nonzero()[:systems, 0]
    return [
        fitted(
            selected(scenes, row.expand(count)),
            selected(conditions, row.expand(count)),
            ensemble,
            simulator,
        )
        for row in bright
    ]


def fitted(
    scene: Scene,
    conditions: Conditions,
    ensemble: Ensemble,
    simulator: Simulator,
    steps: int = STEPS,
) -> Fits:
    """Fits to as many realisations as the system is repeated."""
    scene, conditions, count = in_double(scene), in_double(conditions), len(scene.is_lens)
    prior = ensemble.prior(selected(scene, torch.tensor([0])))
    generator = torch.Generator().manual_seed(0)
    shape = (count, len(simulator.population.bands), *simulator.grid.shape)
    noise = torch.randn(shape, generator=generator, dtype=torch.float64)
    centre = torch.randn(count, prior.root.shape[1], generator=generator, dtype=torch.float64)
    parts = [
        fits(
            selected(scene, rows),
            Telescope(selected(conditions, rows), simulator.grid, simulator.fineness),
            prior,
            noise[rows],
            centre[rows],
            steps,
        )
        for rows in torch.arange(count).split(TOGETHER)
    ]
    return Fits(*(torch.cat([getattr(part, name) for part in parts]) for name in vars(parts[0])))


def reached(found: list[Fits]) -> dict[str, dict[str, float]]:
    """Root mean square of each parameter's error over its limit, and of the images'; and errors."""
    squares = torch.cat([each.parameters for each in found]).square()
    columns = dict(zip(MASS[:3], squares.unbind(1), strict=True))
    columns |= {name: torch.cat([getattr(f, name) for f in found]) for name in ("clean", "source")}
    return {name: _root(column) for name, column in columns.items()}


def _root(squares: Tensor) -> dict[str, float]:
    root = float(squares.mean().sqrt())
    error = float(squares.std() / len(squares) ** 0.5) / (2 * root)
    return {"value": round(root, 3), "error": round(error, 3), "n": len(squares)}


def main() -> None:
    """Measure, print and write."""
    systems = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    realisations = int(sys.argv[2]) if len(sys.argv) > 2 else 40
    text = resources.files("lensmill.recipes").joinpath("paper.toml").read_text(encoding="utf-8")
    recipe = parse_recipe(text, "paper.toml")
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        summary = limits(recipe, Path(folder), count=systems, draws=DRAWS)
    seconds = time.perf_counter() - began
    simulation = recipe.simulation
    population = build_simulator(simulation).population
    ensemble = Ensemble.of(population, simulation.seed, torch.arange(DRAWS))
    found = fit_bright(simulation, ensemble, FITTED, realisations)
    result = {
        "limits": {name: each for name, each in summary.items() if name != "provenance"},
        "seconds": round(seconds, 1),
        "fit_over_limit": reached(found),
        "fit_over_limit_of_each": [reached([each]) for each in found],
        **provenance(command=f"benchmarks/limits.py {systems} {realisations}"),
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
