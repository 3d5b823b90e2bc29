"""benchmarks/ablation.py: each variant is the recipe but for one thing, and has the same time."""

import ablation
import pytest
import step_times

from lensmill.quantities import NOISY
from lensmill.stages.pipeline import Pipeline
from lensmill.training.build import build_stage
from lensmill.training.recipe import shipped_recipe

EVERY = ablation.variants(shipped_recipe("compact"))


@pytest.mark.parametrize("name", EVERY)
def test_a_variant_is_a_chain_and_has_the_same_time(name):
    variant = EVERY[name]
    assert sum(variant.shares.values()) == pytest.approx(1)
    stages = [build_stage(stage) for stage in variant.recipe.stages.values()]
    Pipeline(stages, given=(NOISY,))
    done = []
    for each in variant.shares:
        if each != ablation.NAME:
            assert set(variant.recipe.stages[each].upstream) <= set(done)
        done.append(each)


def test_variants_differ_in_what_they_say():
    stages = {name: variant.recipe.stages for name, variant in EVERY.items()}
    assert not any(stage.upstream for stage in stages["separate"].values())
    assert stages["on_upstream"]["regress"].upstream == ("denoise", "deblend")
    assert stages["on_upstream"]["regress"].upstream_share == 1
    assert stages["end_to_end"] == stages["on_both"]
    assert EVERY["end_to_end"].recipe.together is not None
    assert stages["direct"]["classify"].stage.keywords["images"] == ("noisy",)
    for name in ("deblend", "classify", "regress"):
        assert "clean" not in stages["without_denoise"][name].stage.keywords["images"]
    assert stages["without_denoise"]["classify"].upstream == ("deblend",)
    assert stages["on_both"]["deblend"].stage.keywords["unmixed"]
    assert not stages["without_unmixed"]["deblend"].stage.keywords["unmixed"]


def test_figures_of_what_was_not_trained_are_left_out():
    assert not EVERY["direct"].has("deblended_chained_display_psnr")
    assert not EVERY["direct"].has("counter_images_kept")
    assert EVERY["direct"].has("accuracy_chained")
    assert not EVERY["without_denoise"].has("denoised_display_psnr")
    assert EVERY["without_denoise"].has("deblended_chained_display_psnr")
    assert all(EVERY["separate"].has(column) for column in ablation.COLUMNS)


@pytest.mark.parametrize(
    ("seconds", "pool", "steps"), [(10, 0, 5), (10, 8, 5), (10, 3, 7), (0.1, 3, 1)]
)
def test_steps_that_fit(seconds, pool, steps):
    """Two seconds with new examples, one with kept ones."""
    assert ablation.steps_in(seconds, 2.0, 1.0, pool) == steps


def test_the_settings_of_one_training_change_alone():
    recipe = EVERY["end_to_end"].recipe
    for name in (*ablation.STAGES, ablation.NAME):
        new = ablation.training(recipe, name, steps=3)
        assert ablation.settings(new, name).steps == 3
        others = {*ablation.STAGES, ablation.NAME} - {name}
        assert all(ablation.settings(new, o) == ablation.settings(recipe, o) for o in others)


def test_trainings_that_compute_the_same_share_their_times():
    """Whether half or all of a batch comes from upstream costs nothing; what is read does."""
    recipes = {name: variant.recipe for name, variant in EVERY.items()}
    denoise = {ablation.alike(recipe, "denoise") for recipe in recipes.values()}
    assert len(denoise) == 1
    regress = {name: ablation.alike(recipe, "regress") for name, recipe in recipes.items()}
    assert regress["on_both"] == regress["on_upstream"] == regress["end_to_end"]
    assert len(set(regress.values())) == 5


def test_times_are_measured_once(tmp_path, monkeypatch):
    seconds = iter([(3.0, 1.0), (2.0, 1.5), (4.0, 2.0)])
    monkeypatch.setattr(step_times, "_seconds", lambda *_: next(seconds))
    one = [(EVERY["separate"].recipe, "denoise"), (EVERY["on_both"].recipe, "denoise")]
    found = step_times.step_times(one, tmp_path, "cpu")
    assert list(found.values()) == [(2.0, 1.0)]
    assert step_times.step_times(one, tmp_path, "cpu") == found
