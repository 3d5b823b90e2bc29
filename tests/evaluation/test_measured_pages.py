"""The measured blocks of the pages: what files have is shown, and what older ones lack is not."""

import json

import how_compared
import how_good
import numpy as np
import pytest
import table1
import trust

from lensmill.evaluation.files import Evaluation


def test_an_older_evaluation_lacks_figures(tmp_path, monkeypatch):
    known = {"auroc": {"value": 0.875, "error": 0.01, "n": 40}}
    known["false_positive_rate_ring"] = {"value": None, "error": None, "n": 0}
    (tmp_path / "old.json").write_text(json.dumps(known))
    monkeypatch.setattr(how_good, "EVALUATIONS", {"old": tmp_path / "old.json"})
    lines = how_good.simulated().splitlines()
    assert "| AUROC, all S/N | 0.875 ± 0.01 | 40 |" in lines
    assert "| non-lenses of p_lens > 0.5: ring | – | 0 |" in lines
    assert "| non-lenses of p_lens > 0.5: spiral | – | – |" in lines
    assert len(lines) == len(how_good.ROWS) + 2


def test_a_gaussian_at_the_limit_misses_by_one():
    generator = np.random.default_rng(0)
    count, least = 4000, 0.02
    true = generator.uniform(0.5, 2.0, count)
    miss, faint = least * generator.normal(size=count), np.arange(count) % 4 == 0
    table = {"index": np.arange(count), "is_lens": np.arange(count) % 5 > 0, "theta_E": true}
    table["source_snr"] = np.where(faint, 10.0, 30.0)
    for name, off in (("16", -2 * least), ("50", 0.0), ("84", 2 * least)):
        table[f"theta_E_{name}"] = true * np.exp(miss * np.where(faint, 9, 1) + off)
    limits = {"index": table["index"], "source_snr": table["source_snr"]}
    limits["sigma_ln_theta_E_limit"] = np.where(table["is_lens"], least, np.nan)
    evaluation = Evaluation({}, table, None, limits, {})
    found = table1.over_limit(evaluation)
    assert found["sigma_over_limit_theta_e"]["value"] == pytest.approx(2)
    assert found["miss_over_limit_theta_e"]["value"] == pytest.approx(1, abs=0.06)
    assert found["miss_over_limit_theta_e"]["n"] == (table["is_lens"] & ~faint).sum()
    assert "error of ln θ_E" in how_compared.table(found)
    assert "error of ln θ_E" not in how_compared.table({})


@pytest.mark.parametrize("writer", [how_compared, how_good, trust])
def test_pages_say_what_the_results_say(writer, tmp_path, monkeypatch):
    page = tmp_path / writer.PAGE.name
    page.write_text(writer.PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(writer, "PAGE", page)
    writer.main()
    assert page.read_text(encoding="utf-8") == (how_good.ROOT / "docs" / page.name).read_text(
        encoding="utf-8"
    )
