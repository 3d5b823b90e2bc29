"""The paper's experiments done anew: both splits, the page, the table."""

import shutil

import pytest
import torch

from lensmill.evaluation.benchmark import benchmark
from lensmill.evaluation.files import LIMITS, TRAIN
from lensmill.evaluation.modules import STAGES
from lensmill.evaluation.report import table_one_of
from lensmill.training.build import build_stage
from lensmill.training.checkpoint import save_stage
from lensmill.training.loader import PART
from lensmill.training.recipe import Part, shipped_recipe


@pytest.fixture(scope="module")
def recipe():
    return shipped_recipe("smoke")


@pytest.fixture(scope="module")
def weights(recipe, tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    for name in STAGES:
        stage = recipe.stages[name]
        save_stage(folder / f"{name}.safetensors", build_stage(stage), stage)
    return folder


def test_both_splits_the_page_and_the_table(recipe, weights, tmp_path):
    shares = []
    evaluation = benchmark(
        weights, recipe, tmp_path, count=8, report=lambda share, line: shares.append(share)
    )
    assert evaluation.table is not None
    assert evaluation.train is not None
    assert len(evaluation.table["index"]) == 8
    assert evaluation.train["index"].tolist() == [2 * PART, 2 * PART + 1]  # classify's, regress's
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    assert (tmp_path / "report.html").is_file()
    assert (tmp_path / TRAIN / "evaluation.json").is_file()
    assert "(d) accuracy, chained" in table_one_of(tmp_path)


def test_what_is_done_is_not_done_again(recipe, weights, tmp_path):
    benchmark(weights, recipe, tmp_path, count=4, train=0)
    assert not (tmp_path / TRAIN).exists()
    before = (tmp_path / "evaluation.parquet").stat().st_mtime_ns
    benchmark(weights, recipe, tmp_path, count=4, train=2)
    assert (tmp_path / "evaluation.parquet").stat().st_mtime_ns == before
    assert (tmp_path / TRAIN / "evaluation.json").is_file()
    benchmark(weights, recipe, tmp_path, count=5, train=0)
    assert (tmp_path / "evaluation.parquet").stat().st_mtime_ns != before


def test_weights_that_came_later_are_evaluated_too(recipe, weights, tmp_path):
    folder = shutil.copytree(weights, tmp_path / "weights")
    assert "accuracy_from_noisy" not in benchmark(folder, recipe, tmp_path, count=2).summary
    torch.manual_seed(1)
    direct = recipe.stages["classify"].model_copy(
        update={"stage": Part(name="Classify", images=["noisy"])}
    )
    save_stage(folder / "classify_noisy.safetensors", build_stage(direct), direct)
    assert "accuracy_from_noisy" in benchmark(folder, recipe, tmp_path, count=2).summary


def test_limits_are_taken_along(recipe, weights, tmp_path):
    (tmp_path / "mine.parquet").write_bytes(b"no table")
    with pytest.raises(ValueError, match="not Parquet"):
        benchmark(weights, recipe, tmp_path / "out", count=2, limits=tmp_path / "mine.parquet")
    assert (tmp_path / "out" / LIMITS).is_file()


def test_limits_of_the_first_systems_are_reckoned_once(recipe, weights, tmp_path):
    found = benchmark(weights, recipe, tmp_path, count=2, train=0, limited=2)
    assert found.limits is not None
    made = (tmp_path / LIMITS).stat().st_mtime_ns
    benchmark(weights, recipe, tmp_path, count=2, train=0, limited=2)
    assert (tmp_path / LIMITS).stat().st_mtime_ns == made
    assert found.limits["index"].tolist() == found.table["index"].tolist()


def test_more_limits_are_reckoned_where_more_are_asked_for(recipe, weights, tmp_path):
    for count in (1, 3):
        found = benchmark(weights, recipe, tmp_path, count=3, train=0, limited=count)
        assert len(found.limits["index"]) == count
