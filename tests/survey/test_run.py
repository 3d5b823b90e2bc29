"""A run: complete, resumable, and never stopped by one bad object."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from astropy.io import fits
from astropy.wcs import WCS

from lensmill.board.candidates import Candidates
from lensmill.physics.surveys import LSST_10YEAR
from lensmill.survey import measuring
from lensmill.survey import run as module
from lensmill.survey.candidates import finished_run
from lensmill.survey.chain import load_chain
from lensmill.survey.part import write_part
from lensmill.survey.run import Options, run
from lensmill.survey.stamps import Reading


def rows(out: Path) -> dict[str, dict]:
    return {row["id"]: row for row in pq.read_table(out / "catalogue.parquet").to_pylist()}


def test_every_object_gets_a_row_a_picture_and_a_place(stamps, weights, tmp_path):
    summary = run(stamps, tmp_path / "out", weights=weights)
    table = rows(tmp_path / "out")
    assert (summary.objects, summary.failed) == (5, 0)
    for row in table.values():
        assert 0 <= row["p_lens"] <= 1
        assert row["theta_E_16"] < row["theta_E"] < row["theta_E_84"]
        assert row["q_16"] <= row["q"] <= row["q_84"]
        assert -90 < row["position_angle_deg"] <= 90
        assert row["ra"] == pytest.approx(150.0, abs=0.1)
        assert row["dec"] == pytest.approx(2.2, abs=1e-3)
        assert (tmp_path / "out" / row["picture"]).is_file()
        assert row["reason"] is None
    page = (tmp_path / "out/report.html").read_text()
    assert "demo_000" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_images_keep_the_wcs_and_add_up(stamps, weights, tmp_path):
    run(stamps, tmp_path / "out", weights=weights, options=Options(images=True, pictures=0))
    files = sorted((tmp_path / "out/images").glob("*.fits"))
    assert len(files) == 5
    with fits.open(files[0]) as hdus:
        total = hdus["SOURCE"].data + hdus["LENS_LIGHT"].data
        np.testing.assert_allclose(total, hdus["DENOISED"].data, atol=1e-3)
        assert hdus["SOURCE"].header["BANDS"] == "g,r,i"
        assert WCS(hdus["SOURCE"].header).has_celestial


def test_a_killed_run_goes_on_and_ends_the_same(stamps, weights, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PART", 2)

    def stop(share: float, line: str) -> None:
        if share > 0.3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(stamps, tmp_path / "killed", weights=weights, report=stop)
    assert len(list((tmp_path / "killed/parts").iterdir())) == 1
    run(stamps, tmp_path / "killed", weights=weights)
    run(stamps, tmp_path / "whole", weights=weights)
    assert rows(tmp_path / "killed") == rows(tmp_path / "whole")
    assert not list((tmp_path / "killed").rglob("*.part*.parquet"))


def test_what_was_replaced_is_read_again_and_nothing_else(stamps, weights, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PART", 2)
    run(stamps, tmp_path / "out", weights=weights)
    times = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out/parts").iterdir()}
    (stamps / "demo_002.fits").write_bytes((stamps / "demo_000.fits").read_bytes())
    run(stamps, tmp_path / "out", weights=weights)
    run(stamps, tmp_path / "new", weights=weights)
    assert rows(tmp_path / "out") == rows(tmp_path / "new")
    parts = (tmp_path / "out/parts").iterdir()
    again = [path.name for path in parts if path.stat().st_mtime_ns != times[path.name]]
    assert again == ["part-00001.parquet"]


def test_two_runs_do_not_share_a_folder(stamps, weights, tmp_path):
    def another(share: float, line: str) -> None:
        with pytest.raises(ValueError, match="another run is at work"):
            run(stamps, tmp_path / "out", weights=weights)

    assert run(stamps, tmp_path / "out", weights=weights, report=another).objects == 5


def test_a_catalogue_that_cannot_be_written_is_refused_first(stamps, weights, tmp_path):
    with pytest.raises(ValueError, match=r"there is no folder .*sub; make it first"):
        run(stamps, tmp_path / "out", weights=weights, catalogue="sub/cat.ecsv")
    assert not (tmp_path / "out").exists()


def test_a_run_json_that_was_cut_off_is_named(stamps, weights, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/run.json").touch()
    with pytest.raises(ValueError, match=r"out/run\.json is not JSON"):
        run(stamps, tmp_path / "out", weights=weights)


@pytest.mark.parametrize("read", [finished_run, Candidates, module.recorded_reading])
def test_so_is_it_by_all_who_read_it(tmp_path, read):
    (tmp_path / "catalogue.parquet").touch()
    part = tmp_path / "parts/part-00000.parquet"
    write_part([{"id": "a"}], part)
    (tmp_path / "run.json").write_text('{"bands": ["g"')
    with pytest.raises(ValueError, match=r"run\.json is not JSON"):
        read(tmp_path)


def test_a_card_that_was_cut_off_is_named(weights, tmp_path):
    name = "denoise.safetensors"
    (tmp_path / name).write_bytes((weights / name).read_bytes())
    (tmp_path / "denoise.json").touch()
    with pytest.raises(ValueError, match=r"denoise\.json is not JSON"):
        load_chain(tmp_path)


def test_its_reading_is_kept_and_another_one_is_told(stamps, weights, tmp_path):
    reading = Reading(survey=LSST_10YEAR, psf_fwhm=(0.8, 0.8, 0.8), positions=Path("p.csv"))
    kept = {"bands": ["g", "r", "i"], "reading": module.recorded(reading)}
    (tmp_path / "run.json").write_text(json.dumps(kept))
    found = module.reading_of(tmp_path)
    assert found == replace(reading, positions=Path("p.csv").absolute())
    assert module.reading_of(tmp_path, found) == found
    words = r"survey lsst_10year, not None; psf_fwhm \[0.8, 0.8, 0.8\], not None; leave"
    with pytest.raises(ValueError, match=words):
        module.reading_of(tmp_path, replace(found, survey=None, psf_fwhm=None))


def test_of_an_older_run_its_reading_is_known_again(tmp_path):
    reading = Reading(pixel_scale=0.2)
    kept = {"bands": ["g", "r", "i"], "reading_digest": module.reading_digest(reading)}
    (tmp_path / "run.json").write_text(json.dumps(kept))
    assert module.reading_of(tmp_path, reading) == reading
    with pytest.raises(ValueError, match="by other options"):
        module.reading_of(tmp_path)


def test_another_run_is_not_overwritten(stamps, weights, tmp_path):
    run(stamps, tmp_path / "out", weights=weights)
    (stamps / "demo_000.fits").unlink()
    with pytest.raises(ValueError, match=r"holds another run \(entries"):
        run(stamps, tmp_path / "out", weights=weights)


def test_a_folder_of_something_else_is_not_written_into(stamps, weights, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.tex").write_text("precious")
    with pytest.raises(ValueError, match="is not empty"):
        run(stamps, tmp_path / "out", weights=weights)


def spoil(folder: Path) -> dict[str, str]:
    """Break copies of a good stamp in every way we know; returns the flag each should get."""
    good = (folder / "demo_000.fits").read_bytes()
    (folder / "truncated.fits").write_bytes(good[: len(good) // 2])
    (folder / "text.fits").write_text("not a FITS file at all\n")
    for name in ("one_band_missing", "all_nan", "tiny", "flat"):
        with fits.open(folder / "demo_000.fits") as hdus:
            _spoil_one(name, hdus)
            hdus.writeto(folder / f"{name}.fits", output_verify="silentfix")
    return {
        "truncated": "truncated",
        "text": "not_fits",
        "one_band_missing": "missing_band",
        "all_nan": "all_nan",
        "tiny": "too_small",
        "flat": "zero_variance",
    }


def _spoil_one(name: str, hdus: fits.HDUList) -> None:
    for band in "gri":
        image = hdus[f"{band}_SCI"]
        if name == "all_nan":
            image.data = np.full_like(image.data, np.nan)
        if name == "tiny":
            image.data = image.data[:8, :8]
            hdus[f"{band}_VAR"].data = hdus[f"{band}_VAR"].data[:8, :8]
        if name == "flat":
            image.data = np.zeros_like(image.data)
            hdus[f"{band}_VAR"].data = np.zeros_like(hdus[f"{band}_VAR"].data)
    if name == "one_band_missing":
        for kind in ("SCI", "VAR", "PSF"):
            del hdus[f"r_{kind}"]


def test_bad_objects_are_rows_with_reasons_and_the_rest_is_written(stamps, weights, tmp_path):
    expected = spoil(stamps)
    summary = run(stamps, tmp_path / "out", weights=weights)
    table = rows(tmp_path / "out")
    assert summary.failed == len(expected)
    assert len(table) == 5 + len(expected)
    for name, flag in expected.items():
        assert table[name]["flags"] == flag, table[name]
        assert table[name]["reason"]
        assert table[name]["p_lens"] is None
    assert all(table[f"demo_{k:03d}"]["p_lens"] is not None for k in range(5))


def test_what_is_not_finite_is_one_objects_failure(stamps, weights, tmp_path, monkeypatch):
    """As if reading had let a condition through that makes the posterior NaN."""
    monkeypatch.setattr(measuring, "as_batch", partial(without_psf, measuring.as_batch))
    summary = run(stamps, tmp_path / "out", weights=weights)
    table = rows(tmp_path / "out")
    assert summary.reasons == {"not_finite": 1}
    failed = table.pop("demo_001")
    assert "demo_001.fits: the networks' numbers of it are not finite" in failed["reason"]
    assert failed["p_lens"] is None
    assert all(0 <= row["p_lens"] <= 1 for row in table.values())
    assert len(list((tmp_path / "out/pictures").iterdir())) == len(table) == 4


def without_psf(as_batch, items, device):
    """A batch in which the second object's PSF is NaN."""
    batch = as_batch(items, device)
    batch["psf_fwhm"][1] = torch.nan
    return batch


def test_the_background_that_was_subtracted_is_a_column(stamps, weights, tmp_path):
    with fits.open(stamps / "demo_000.fits", mode="update") as hdus:
        hdus["R_SCI"].data += 5000
    run(stamps, tmp_path / "out", weights=weights)
    row = rows(tmp_path / "out")["demo_000"]
    assert "background_subtracted" in row["flags"]
    assert row["background"][1] == pytest.approx(5000, abs=row["sky_sigma"][1])
    assert abs(row["background"][0]) < row["sky_sigma"][0]


def test_an_empty_folder_says_so(weights, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"empty: no images.*Supported"):
        run(tmp_path / "empty", tmp_path / "out", weights=weights)


def test_weights_of_other_bands_are_refused(stamps, write_weights, tmp_path):
    other = write_weights(tmp_path / "weights", bands=("g", "r", "z"))
    with pytest.raises(ValueError, match=r"\('g', 'r', 'z'\), not \('g', 'r', 'i'\)"):
        run(stamps, tmp_path / "out", weights=other)


def test_a_folder_without_weights_says_what_it_expected(stamps, tmp_path):
    with pytest.raises(ValueError, match=r"no weights in .*denoise\.safetensors"):
        run(stamps, tmp_path / "out", weights=tmp_path)


@pytest.mark.parametrize(
    ("kept", "words"),
    [("deblend", "no denoise.safetensors, whose `clean` Deblend"), ("classify", "no deblend")],
)
def test_what_is_missing_of_a_chain_is_named(weights, tmp_path, kept, words):
    name = f"{kept}.safetensors"
    (tmp_path / name).write_bytes((weights / name).read_bytes())
    with pytest.raises(ValueError, match=words):
        load_chain(tmp_path)


def test_conditions_the_networks_never_saw_are_flagged(stamps, weights, tmp_path):
    run(stamps, tmp_path / "out", weights=weights, reading=Reading(pixel_scale=0.5))
    flags = next(iter(rows(tmp_path / "out").values()))["flags"].split(";")
    assert "pixel_scale_outside_training" in flags


def test_half_of_the_chain_runs_too(stamps, weights, tmp_path):
    """A folder with a denoiser alone: no picture, no p_lens, still a catalogue."""
    for suffix in ("safetensors", "json"):
        (tmp_path / f"denoise.{suffix}").write_bytes((weights / f"denoise.{suffix}").read_bytes())
    run(stamps, tmp_path / "out", weights=tmp_path)
    row = next(iter(rows(tmp_path / "out").values()))
    assert row["p_lens"] is None
    assert row["reason"] is None


def test_position_angle_of_a_known_posterior():
    """A mass along +y has COOLEST's angle 0; along +x, 90."""
    from lensmill.survey.rows import mass_columns

    mean = torch.tensor([[[0.0, 0.3, 0.0]], [[0.0, -0.3, 0.0]]])
    tril = 0.01 * torch.eye(3).expand(2, 1, 3, 3)
    batch = {
        "posterior_log_weight": torch.zeros(2, 1),
        "posterior_mean": mean,
        "posterior_scale_tril": tril,
        "theta_E": torch.ones(2),
        "e1": mean[:, 0, 1],
        "e2": mean[:, 0, 2],
    }
    angle = mass_columns(batch)["position_angle_deg"].abs()
    np.testing.assert_allclose(angle, [90.0, 0.0], atol=1.0)
