"""Inject: a row for every injection and every untouched galaxy, curves that count them all."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from lensmill.evaluation.operating import operating_point
from lensmill.survey.inject import Trials, inject, picture, summarise
from lensmill.survey.injection import Sources
from lensmill.survey.run import Options, run
from lensmill.survey.stamps import Reading

PHOTOMETRY = {"zero_point": (27.0,), "gain": (10.0, 20.0, 30.0)}


@pytest.fixture
def done(stamps, weights, tmp_path):
    (stamps / "broken.fits").write_text("no FITS")
    out = tmp_path / "out"
    summary = inject(stamps, out, weights=weights, injections=3, galaxies=4, **PHOTOMETRY)
    return out, summary


def test_rows_and_files(done, stamps, weights):
    out, summary = done
    table = pq.read_table(out / "inject.parquet").to_pylist()
    assert len(table) == 4 * (1 + 3)
    assert (summary["galaxies"], summary["injected"]) == (4, 12)
    assert json.loads((out / "inject.json").read_text())["injected"] == 12
    with Image.open(out / "inject.png") as image:
        assert image.size[0] > 100
    untouched = [row for row in table if not row["is_lens"]]
    assert len({row["id"] for row in untouched}) == 4
    assert all(row["theta_E"] is None and row["p_lens"] is not None for row in untouched)
    arcs = [row for row in table if row["is_lens"]]
    assert all(0.5 < row["theta_E"] < 2.5 and row["snr"] > 0 for row in arcs)
    assert len({row["p_lens"] for row in table}) > 12
    assert len(operating_point(out, prevalence=1e-3)) > 5


def test_the_untouched_are_as_a_run_finds_them(done, stamps, weights, tmp_path):
    out, _ = done
    run(stamps, tmp_path / "run", weights=weights, options=Options(precision="32-true"))
    catalogue = pq.read_table(tmp_path / "run/catalogue.parquet").to_pylist()
    expected = {row["id"]: row["p_lens"] for row in catalogue}
    for row in pq.read_table(out / "inject.parquet").to_pylist():
        if not row["is_lens"]:
            assert row["p_lens"] == pytest.approx(expected[row["id"]], abs=1e-4)


def test_what_cannot_be_done_is_said(stamps, weights, tmp_path):
    with pytest.raises(ValueError, match="not \\('g', 'r'\\)"):
        inject(stamps, tmp_path / "o", weights=weights, reading=Reading(("g", "r")), **PHOTOMETRY)
    for path in stamps.iterdir():
        path.write_text("no FITS")
    with pytest.raises(ValueError, match="none of its objects can be read"):
        inject(stamps, tmp_path / "o", weights=weights, **PHOTOMETRY)


def trials(threshold=None):
    """A hundred galaxies; the brighter an arc, the higher its score."""
    generator = np.random.default_rng(0)
    magnitude = generator.uniform(*Sources().magnitude, 400)
    lenses = {
        "is_lens": np.ones(400, bool),
        "theta_E": generator.uniform(0.5, 2.5, 400),
        "magnitude": magnitude,
        "snr": 10 ** (0.4 * (26 - magnitude)),
        "seeing": np.full(400, 0.8),
        "theta_E_found": generator.uniform(0.5, 2.5, 400),
        "p_lens": 0.9 - 0.1 * (magnitude - 21.5),
    }
    none = {name: [None] * 100 for name in lenses}
    others = {**none, "is_lens": [False] * 100, "p_lens": np.linspace(0, 0.6, 100).tolist()}
    rows = {name: [*column.tolist(), *others[name]] for name, column in lenses.items()}
    names = [f"galaxy_{number % 100}" for number in range(500)]
    return Trials.of(pa.table({**rows, "id": names}), threshold)


def test_the_threshold_that_a_twentieth_of_the_untouched_exceed():
    found = summarise(trials())
    assert found["at_threshold"]["false_positive_rate"]["value"] == pytest.approx(0.05)
    assert found["at_threshold"]["threshold"] == pytest.approx(0.57, abs=0.01)
    assert found["at_half"]["threshold"] == 0.5
    assert found["at_half"]["false_positive_rate"]["value"] == pytest.approx(0.17, abs=0.02)


def test_completeness_falls_with_magnitude_and_not_with_theta_E():
    found = summarise(trials(0.7))
    assert found["at_threshold"]["threshold"] == 0.7
    by = {
        name: [b["share"]["value"] for b in bins] for name, bins in found["completeness_by"].items()
    }
    assert by["magnitude"] == sorted(by["magnitude"], reverse=True)
    assert by["magnitude"][0] == 1
    assert by["magnitude"][-1] == 0
    assert by["log_snr"] == by["magnitude"][::-1]
    assert np.ptp(by["theta_E"]) < 0.3
    assert len(by["seeing"]) == 1
    for bins in found["completeness_by"].values():
        assert sum(each["share"]["total"] for each in bins) == 400
    assert picture(trials()).size[0] > 900
