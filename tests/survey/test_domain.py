"""Domain: a run is compared with what its own weights were trained on, and advice follows."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from lensmill.cli import app
from lensmill.survey.advice import advise, closer, unlike
from lensmill.survey.chain import load_chain
from lensmill.survey.demo import write_stamps
from lensmill.survey.domain import Looked, _extremes, check_domain, compare
from lensmill.survey.run import Options, run
from lensmill.survey.stamps import Reading
from lensmill.training.loader import Loader
from lensmill.training.recipe import read_recipe, shipped_recipe

COUNT = 96


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Twelve stamps as in training: the recipe's own, of a split that nobody trained on."""
    folder = tmp_path_factory.mktemp("images")
    loader = Loader.of(shipped_recipe("smoke").simulation, 12, "test")
    write_stamps(folder, loader(0), loader.bands)
    return folder


@pytest.fixture(scope="module")
def done(images, weights, tmp_path_factory):
    out = tmp_path_factory.mktemp("done") / "run"
    run(images, out, weights=weights, options=Options(pictures=0))
    return out


@pytest.fixture(scope="module")
def found(done, images, weights):
    return check_domain(done, images, weights=weights, count=COUNT)


def test_every_trait_of_both_sides(found):
    assert found["objects"] == 12
    assert found["simulated"] == COUNT
    for trait in found["traits"].values():
        assert len(trait["yours"]) == len(trait["training"]) == 3
        assert trait["yours"] == sorted(trait["yours"])
        assert 0 <= trait["outside"] <= 1
    assert 0 <= found["probe_auc"]["value"] <= 1


def test_conditions_as_in_training_are_not_unlike(found):
    for name in ("pixel_scale", "seeing", "sky_level"):
        assert not unlike(found["traits"][name]), name


def test_what_is_written(found, done):
    written = json.loads((done / "domain.json").read_text())
    assert written["traits"] == found["traits"]
    assert written["lensmill"]
    with Image.open(done / "domain.png") as picture:
        assert picture.size[0] > 100
    recipe = read_recipe(done / "finetune.toml")
    assert recipe.together is not None
    assert recipe.together.stages == ("denoise", "deblend", "classify", "regress")


def test_other_pixels_are_seen_and_held_by_the_recipe(images, weights, tmp_path):
    out, reading = tmp_path / "out", Reading(pixel_scale=0.4)
    run(images, out, weights=weights, reading=reading, options=Options(pictures=0))
    with pytest.raises(ValueError, match=r"pixel_scale 0\.4, not None"):
        check_domain(out, images, weights=weights, reading=Reading(), count=COUNT)
    found = check_domain(out, images, weights=weights, count=COUNT)
    assert found["traits"]["pixel_scale"]["outside"] == 1
    assert any(line.startswith("pixel_scale: median 0.4") for line in found["advice"])
    low, high = read_recipe(out / "finetune.toml").simulation.pixel_scale
    assert low <= 0.2
    assert high == pytest.approx(0.4)


def copied(done, place, **changed):
    """What a run left, under other settings; None takes one away."""
    (place / "catalogue.parquet").write_bytes((done / "catalogue.parquet").read_bytes())
    settings = {**json.loads((done / "run.json").read_text()), **changed}
    kept = {key: value for key, value in settings.items() if value is not None}
    (place / "run.json").write_text(json.dumps(kept))
    return place


def test_the_folder_is_that_of_the_run(done, images, weights):
    assert json.loads((done / "run.json").read_text())["folder"] == str(images)
    assert check_domain(done, weights=weights, count=COUNT)["objects"] == 12


def test_a_folder_that_is_gone_is_named_and_another_goes_before_it(done, images, weights, tmp_path):
    moved = copied(done, tmp_path, folder=str(tmp_path / "gone"))
    with pytest.raises(ValueError, match=r"gone, which .*run\.json says .* is not there"):
        check_domain(moved, weights=weights, count=COUNT)
    assert check_domain(moved, images, weights=weights, count=COUNT)["objects"] == 12


def test_a_run_that_names_no_folder_needs_one(done, weights, tmp_path):
    with pytest.raises(ValueError, match="which folder was run"):
        check_domain(copied(done, tmp_path, folder=None), weights=weights, count=COUNT)


def test_other_weights_or_other_images_are_refused(done, images, weights, write_weights, tmp_path):
    torch.manual_seed(5)
    with pytest.raises(ValueError, match="other weights"):
        check_domain(done, images, count=COUNT)
    loader = Loader.of(shipped_recipe("smoke").simulation, 2, "test")
    write_stamps(tmp_path / "others", loader(0), loader.bands)
    for path in (tmp_path / "others").iterdir():
        path.rename(path.with_name(f"another_{path.name}"))
    with pytest.raises(ValueError, match="none of the objects"):
        check_domain(done, tmp_path / "others", weights=weights, count=COUNT)


@pytest.mark.parametrize("left", [(), ("run.json",)])
def test_a_run_that_is_not_finished_is_named(done, images, tmp_path, left):
    """No folder, or one whose run was cut off."""
    folder = tmp_path / "cut-off"
    for name in left:
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes((done / name).read_bytes())
    result = CliRunner().invoke(app, ["check-domain", str(folder), "--images", str(images)])
    assert result.exit_code == 1
    assert "cut-off holds no finished run" in result.output


def looked(count, shift=0.0, seed=0):
    generator = np.random.default_rng(seed)
    trait = {"log_snr": generator.normal(shift, 1, count)}
    return Looked(trait, generator.normal(shift, 1, (count, 6)))


def test_a_shift_is_told_and_none_is_not():
    training, kinds = looked(200, seed=1), np.arange(200) % 2
    same = compare(looked(90, seed=2), training, kinds)
    other = compare(looked(90, 3.0, seed=2), training, kinds)
    assert abs(same["probe_auc"]["value"] - 0.5) < 0.15
    assert other["probe_auc"]["value"] > 0.95
    assert same["strange"] < 0.1 < 0.5 < other["strange"]
    assert not unlike(same["traits"]["log_snr"])
    assert unlike(other["traits"]["log_snr"])


def test_a_pixel_scale_of_one_value_is_the_same_in_any_precision():
    yours, training = looked(90), looked(200)
    yours.traits["pixel_scale"] = np.full(90, np.float32(0.2)).astype(float)
    training.traits["pixel_scale"] = np.full(200, 0.2)
    trait = compare(yours, training, np.ones(200, int))["traits"]["pixel_scale"]
    assert trait["outside"] == trait["distance"] == 0


def test_advice_begins_with_the_largest_difference():
    def trait(outside):
        sides = {"yours": [1, 2, 3], "training": [4, 5, 6]}
        return {**sides, "distance": 0.5, "outside": outside}

    traits = {"size": trait(0.2), "colour_g_r": trait(0.9), "log_snr": trait(0.0)}
    lines = advise(traits, {"psf_assumed": 0.5, "bad_pixels_filled": 1.0})
    assert [line.split(":")[0] for line in lines] == ["colour_g_r", "size", "50% of the objects"]
    assert "knob: survey" in lines[0]


def test_stamps_of_the_run_are_held():
    inside = {"yours": [0.2] * 3, "training": [0.2] * 3, "distance": 0.0, "outside": 0.0}
    traits = {"pixel_scale": inside, "seeing": inside}
    changed = closer(shipped_recipe("smoke"), traits, (30, 91)).simulation
    assert changed.shape == ((30, 38), (36, 91))
    assert changed.psf_fwhm == shipped_recipe("smoke").simulation.psf_fwhm


def test_the_sides_of_all_stamps_count():
    assert _extremes([(40, 50), (30, 91)]) == [(30, 50), (40, 91)]


@pytest.mark.parametrize("pair", [(0.5, 1.3), None])
def test_seeing_is_held_before_the_recipes_factor(pair):
    recipe = shipped_recipe("smoke")
    simulation = recipe.simulation.model_copy(update={"psf_fwhm": pair, "seeing": 0.8})
    inside = {"yours": [0.2] * 3, "training": [0.2] * 3, "distance": 0.0, "outside": 0.0}
    seeing = {"yours": [1.2] * 3, "training": [0.4, 0.7, 1.04], "distance": 1.0, "outside": 1.0}
    traits = {"pixel_scale": inside, "seeing": seeing}
    changed = closer(recipe.model_copy(update={"simulation": simulation}), traits, (36, 36))
    assert changed.simulation.psf_fwhm == pytest.approx((0.5, 1.5))


def test_seeing_is_unusual_by_what_the_simulator_made_of_it(weights):
    wide = {"psf_fwhm": [0.5, 1.3], "seeing": 0.8}
    chain = replace(load_chain(weights), trained_on=wide)
    assert chain.unusual((36, 36), 0.2, [1.0] * 3) == []
    assert chain.unusual((36, 36), 0.2, [1.25] * 3) == ["seeing_outside_training"]
    assert replace(chain, trained_on={"psf_fwhm": [0.5, 1.3]}).unusual((36, 36), 0.2, [1.25]) == []
