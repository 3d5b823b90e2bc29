"""Inference: faster numbers that say the same, and no model of what is no lens."""

import pyarrow.parquet as pq
import pytest
import torch

from lensmill.grid import Grid
from lensmill.physics.surveys import LSST_10YEAR
from lensmill.simulation.observing import Observing
from lensmill.simulation.population.priors import Priors
from lensmill.simulation.simulator import Simulator
from lensmill.survey.agreement import TOLERANCE, chosen_precision, differences, sample
from lensmill.survey.catalogue import COLUMNS
from lensmill.survey.chain import load_chain
from lensmill.survey.inference import NOT_MODELLED, HalfPrecision, prepared
from lensmill.survey.run import Options, run

MODEL = [c.name for c in COLUMNS if c.name.startswith(("theta_E", "e1", "e2", "q", "position_"))]


def test_bf16_says_the_same_of_the_shipped_chain():
    simulator = Simulator(Priors(), Observing(LSST_10YEAR), Grid((45, 51), 0.2))
    batch = simulator(11, torch.arange(6))
    given = {name: batch[name] for name in sample(3)}
    for each in (given, None):
        found = differences(load_chain(), "cpu", each)
        assert found.keys() == TOLERANCE.keys()
        assert all(found[name] <= TOLERANCE[name] for name in found), found


def test_a_chain_that_bf16_changes_stays_in_float32(weights, monkeypatch):
    from lensmill.survey import agreement

    monkeypatch.setattr(agreement, "fastest_precision", lambda device: "bf16-mixed")
    assert chosen_precision(load_chain(weights), "cpu") == "bf16-mixed"
    monkeypatch.setattr(agreement, "differences", lambda chain, device: {"p_lens": 0.03})
    assert chosen_precision(load_chain(weights), "cpu") == "32-true"


def test_only_networks_are_in_bf16(weights):
    chain = prepared(load_chain(weights), "cpu", "bf16-mixed")
    for stage in chain.pipeline.members:
        assert isinstance(stage.network, HalfPrecision)
        assert all(p.dtype == torch.float32 for p in stage.parameters())


def rows(out):
    return {row["id"]: row for row in pq.read_table(out / "catalogue.parquet").to_pylist()}


def test_below_the_cut_there_is_a_row_without_a_model(stamps, weights, tmp_path):
    run(stamps, tmp_path / "all", weights=weights)
    every = rows(tmp_path / "all")
    cut = sorted(row["p_lens"] for row in every.values())[2]
    summary = run(stamps, tmp_path / "cut", weights=weights, options=Options(p_lens=cut))
    assert (summary.objects, summary.failed) == (5, 0)
    assert summary.stages["classify"]["images"] == 5
    assert summary.stages["regress"]["images"] == 3
    for name, row in rows(tmp_path / "cut").items():
        full = every[name]
        assert row["p_lens"] == pytest.approx(full["p_lens"])
        if row["p_lens"] >= cut:
            assert row["theta_E"] == pytest.approx(full["theta_E"], rel=1e-4)
            assert NOT_MODELLED not in row["flags"]
        else:
            assert [row[name] for name in MODEL] == [None] * len(MODEL)
            assert NOT_MODELLED in row["flags"].split(";")


def test_another_cut_is_another_run(stamps, weights, tmp_path):
    run(stamps, tmp_path / "out", weights=weights, options=Options(p_lens=0.9))
    with pytest.raises(ValueError, match=r"another run \(p_lens differ"):
        run(stamps, tmp_path / "out", weights=weights)
