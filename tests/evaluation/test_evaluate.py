"""The whole evaluation with untrained stages: what it writes, and what it says of it."""

import json
import math
import shutil
from importlib import resources

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from lensmill.evaluation.evaluate import evaluate
from lensmill.evaluation.modules import STAGES, Modules
from lensmill.evaluation.statistics import figure
from lensmill.evaluation.strata import strata
from lensmill.evaluation.summary import summarise
from lensmill.evaluation.table import relative_exposure
from lensmill.physics.surveys import preset
from lensmill.provenance import file_digest
from lensmill.training.build import build_stage
from lensmill.training.checkpoint import load_stage, save_stage
from lensmill.training.loader import Loader
from lensmill.training.recipe import parse_recipe

COUNT = 10


@pytest.fixture(scope="module")
def recipe():
    text = resources.files("lensmill.recipes").joinpath("smoke.toml").read_text(encoding="utf-8")
    return parse_recipe(text)


@pytest.fixture(scope="module")
def weights(recipe, tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    for name in STAGES:
        stage = recipe.stages[name]
        save_stage(folder / f"{name}.safetensors", build_stage(stage), stage)
    return folder


@pytest.fixture(scope="module")
def evaluation(recipe, weights, tmp_path_factory):
    out, lines = tmp_path_factory.mktemp("evaluation"), []
    summary = evaluate(
        weights,
        recipe,
        out,
        count=COUNT,
        batch=4,
        baseline=5,
        report=lambda share, line: lines.append((share, line)),
    )
    return out, summary, lines


def test_there_is_one_row_per_example(evaluation):
    table = pq.read_table(evaluation[0] / "evaluation.parquet").to_pydict()
    assert len(table["index"]) == len(set(table["index"])) == COUNT
    assert np.isfinite(table["source_error_baseline"]).tolist() == [True] * 5 + [False] * 5
    assert np.isfinite(table["source_error_chained"]).all()
    lens = np.array(table["is_lens"])
    assert (np.isfinite(table["e1_pit"]) == lens).all()
    assert (np.array(table["theta_E_16"]) < np.array(table["theta_E_84"])).all()
    assert set(zip(table["shape_y"], table["shape_x"], strict=True)) != {(36, 36)}


def test_the_summary_is_what_was_written(evaluation, weights):
    out, summary, _ = evaluation
    written = json.loads((out / "evaluation.json").read_text())
    assert written["accuracy"] == summary["accuracy"]
    assert written["auroc"]["n"] == COUNT
    assert written["deblend_error_chained_median"]["n"] == 5
    assert written["deblend_error_baseline_median"]["n"] == 5
    expected = file_digest(weights / "denoise.safetensors")
    assert written["provenance"]["weights"]["denoise"] == expected


def test_every_promised_figure_is_there(evaluation):
    summary = evaluation[1]
    for name in (
        "denoise_gain_db_median",
        "deblend_beats_baseline_share",
        "deblend_beats_baseline_denoised_share",
        "auroc_snr20",
        "auroc_snr20_all_negatives",
        "theta_E_relative_error_median_snr20",
        "theta_E_coverage68_snr20",
        "theta_E_coverage50",
        "e1_coverage90",
        "e2_coverage95",
        "tpr0",
        "tpr10",
    ):
        assert set(summary[name]) == {"value", "error", "n"}


def test_the_papers_rows_are_there(evaluation):
    table = pq.read_table(evaluation[0] / "evaluation.parquet").to_pydict()
    for name in (
        "display_psnr_source_from_truth",
        "display_psnr_denoised_vs_source",
        "p_lens_from_truth",
        "theta_E_from_truth",
        "e1_from_truth",
        "source_flux_ratio_chained",
    ):
        assert np.isfinite(table[name]).all()
    assert (np.isnan(table["tarp"]) == ~np.array(table["is_lens"])).all()
    for name in ("accuracy", "accuracy_from_truth", "mae_chained", "mae_from_truth"):
        assert math.isfinite(evaluation[1][name]["value"])


def test_the_summary_says_what_each_module_was_given(evaluation):
    assert evaluation[1]["given"] == {
        "chained": ["noisy"],
        "deblend_from_truth": ["noisy", "clean"],
        "classify_from_truth": ["noisy", "source"],
        "regress_from_truth": ["noisy", "source"],
    }


def test_modules_by_themselves_see_the_truth(recipe, weights):
    """Deblend on the true clean image is deblend as it is; nothing of the chain comes in."""
    modules, truth = Modules.load(weights), Loader.of(recipe.simulation, 3)(0)
    predicted = modules.predict(truth)
    deblend = load_stage(weights / "deblend.safetensors")
    torch.testing.assert_close(predicted["from_truth"]["source"], deblend.predict(truth)["source"])
    wrong = {**truth, "is_lens": 1 - truth["is_lens"], "theta_E": truth["theta_E"] + 1}
    again = modules.predict(wrong)["from_truth"]
    assert all(torch.equal(again[name], each) for name, each in predicted["from_truth"].items())
    assert predicted["from_noisy"] == {}


def test_direct_baselines_are_run_where_they_are(recipe, weights, tmp_path):
    for path in weights.iterdir():
        shutil.copy(path, tmp_path)
    for name in ("classify", "regress"):
        own = recipe.stages[name].model_copy(deep=True)
        own.stage.model_extra["images"] = ["noisy"]
        save_stage(tmp_path / f"{name}_noisy.safetensors", build_stage(own), own)
    summary = evaluate(tmp_path, recipe, tmp_path / "out", count=4, batch=4, baseline=0)
    assert summary["given"]["classify_noisy"] == ["noisy"]
    assert {"accuracy_from_noisy", "mae_from_noisy"} <= summary.keys()
    assert "regress_noisy" in summary["provenance"]["weights"]


def test_progress_reaches_the_end(evaluation):
    assert evaluation[2][-1] == (1.0, f"{COUNT} of {COUNT} systems")


def test_without_a_baseline_its_figures_are_empty(recipe, weights, tmp_path):
    summary = evaluate(weights, recipe, tmp_path, count=3, batch=2, baseline=0)
    assert summary["deblend_error_baseline_median"]["n"] == 0
    assert math.isnan(summary["deblend_beats_baseline_share"]["value"])
    text = (tmp_path / "evaluation.json").read_text()
    assert json.loads(text)["deblend_beats_baseline_share"]["value"] is None
    assert "NaN" not in text


def test_missing_weights_are_named(recipe, tmp_path):
    with pytest.raises(ValueError, match=r"denoise\.safetensors"):
        evaluate(tmp_path, recipe, tmp_path)


def test_bootstrap_error_of_a_mean():
    column = np.random.default_rng(0).normal(size=2500)
    mean = figure(lambda values: float(values.mean()), column)
    assert mean.error == pytest.approx(1 / 50, rel=0.2)
    assert (mean.value, mean.n) == (column.mean(), 2500)


def test_figures_by_hand():
    table = {
        "p_lens": np.array([0.9, 0.8, 0.7, 0.1]),
        "is_lens": np.array([True, False, True, False]),
        "source_snr": np.array([30.0, 40.0, 10.0, 5.0]),
        "theta_E": np.array([1.0, 0.0, 2.0, 0.0]),
        "theta_E_50": np.array([1.1, 1.0, 3.0, 1.0]),
        "psnr_noisy": np.array([20.0, 30.0, 40.0, 50.0]),
        "psnr_denoised": np.array([25.0, 36.0, 47.0, 60.0]),
        "psnr_source": np.ones(4),
    }
    table |= {f"{name}_pit": np.array([0.5, np.nan, 0.01, np.nan]) for name in ("e1", "e2")}
    table["ln_theta_E_pit"] = table["e1_pit"]
    table |= {f"{name}_rank": 99 * table["e1_pit"] for name in ("ln_theta_E", "e1", "e2")}
    table |= {"tarp": table["e1_pit"], "theta_E_predicted": table["theta_E_50"]}
    table |= {name: np.zeros(4) for name in ("e1", "e2", "e1_predicted", "e2_predicted")}
    table |= {f"{name}_sigma": np.full(4, 0.1) for name in ("theta_E", "e1", "e2")}
    table |= {"kind": np.array([0, 1, 0, 3]), "psf_fwhm": np.full(4, 0.8)}
    table["psnr_source_from_truth"] = table["psnr_source"]
    table["counter_image_snr"] = np.array([9.0, np.nan, 4.0, np.nan])
    for name in ("chained", "from_truth"):
        table[f"counter_image_flux_ratio_{name}"] = np.array([0.8, np.nan, 0.0, np.nan])
        table[f"source_flux_ratio_{name}"] = np.array([0.9, 1.0, 1.1, np.nan])
    for name in ("noisy", "chained", "baseline", "baseline_denoised"):
        table[f"source_error_{name}"] = np.array([1.0, 2.0, np.nan, np.nan])
        table[f"source_correlation_{name}"] = np.zeros(4)
    table["source_error_chained"] = np.array([0.5, 3.0, 9.0, 9.0])
    ranges = {"theta_E": (0.5, 3.0), "q": (0.2, 1.0), "phi": (0.0, math.pi)}
    figures = {name: each.get("value") for name, each in summarise(table, ranges).items()}
    assert figures["denoise_gain_db_median"] == 6.5
    assert figures["deblend_error_chained_median"] == 1.75  # of the two that have a baseline
    assert figures["deblend_beats_baseline_share"] == 0.5
    assert figures["auroc"] == 0.75
    assert figures["auroc_snr20"] == 1.0
    assert figures["accuracy"] == 0.75
    assert figures["tpr0"] == 0.5
    assert figures["theta_E_relative_error_median_snr20"] == pytest.approx(0.1)
    assert figures["theta_E_relative_bias_median"] == pytest.approx(0.3)
    assert figures["theta_E_relative_bias_median_snr_10_20"] == pytest.approx(0.5)
    assert figures["theta_E_relative_bias_median_snr_20_50"] == pytest.approx(0.1)
    assert figures["theta_E_coverage68_snr20"] == 1.0
    assert figures["e1_coverage90"] == 0.5
    assert figures["mae_chained"] == pytest.approx((0.1 + 1.0) / 2.5 / 2 / 3)
    assert figures["counter_images_kept_chained"] == 1.0  # the other is too faint to be asked for
    assert figures["source_flux_ratio_median_chained"] == pytest.approx(1.0)
    assert figures["false_positive_rate_unlensed_source"] == 1.0
    assert figures["false_positive_rate_spiral"] == 0.0
    assert "false_positive_rate_merger" not in figures
    assert "accuracy_from_noisy" not in figures
    bins = strata(table, ranges)["source_snr"]
    assert [each["completeness"]["n"] for each in bins] == [0, 1, 1, 0]
    assert bins[1]["mae"]["value"] == pytest.approx(1.0 / 2.5 / 3)


def test_relative_exposure_is_one_at_the_surveys_own_depth():
    survey = preset("lsst_10year")
    scale = torch.tensor([0.2, 0.26])
    for factor in (1.0, 0.01):
        bands = survey.bands.values()
        variance = [
            [b.sky(float(s), factor * b.visits) + factor * b.visits * b.reads * b.read_noise**2]
            for s in scale
            for b in bands
        ]
        sigma = torch.tensor(variance).reshape(2, 3).sqrt()
        torch.testing.assert_close(
            relative_exposure(sigma, scale, survey), torch.full((2,), factor), rtol=1e-4, atol=0
        )
