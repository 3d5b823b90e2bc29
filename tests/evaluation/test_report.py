"""The page: complete, self-contained, and deaf to hostile files."""

import base64
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from lensmill.evaluation.examples import ROWS as PICTURES
from lensmill.evaluation.examples import save_examples
from lensmill.evaluation.pictures import strip
from lensmill.evaluation.report import report, table_one_of
from lensmill.evaluation.table_one import UNKNOWN

HOSTILE = "<script>alert(1)</script>' onfocus='alert(2)"
ROWS = [
    {
        "id": "a1",
        "ra": 150.1,
        "dec": -2.2,
        "p_lens": 0.25,
        "theta_E": 1.0,
        "theta_E_16": 0.9,
        "theta_E_84": 1.2,
        "q": 0.7,
        "position_angle_deg": -0.2,
        "position_angle_error_deg": 5.0,
        "flags": "psf_assumed;sky_estimated",
        "picture": "pictures/a1.png",
        "source": "a1.fits",
    },
    {"id": HOSTILE, "p_lens": 0.99999, "picture": "../secret.png", "flags": HOSTILE},
    {"id": "a3", "p_lens": None, "theta_E": float("nan"), "picture": "pictures/broken.png"},
    {"id": "b1", "source": "b1.fits", "reason": f"no image {HOSTILE}"},
    {"id": "b2", "source": "b2.fits", "reason": "all pixels are NaN"},
    {"id": "b3", "source": "b3.fits", "reason": "all pixels are NaN"},
]
COLUMNS = {key for row in ROWS for key in row}


class Elements(HTMLParser):
    """Collects start tags with their attributes, and text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    def attributes(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "my <run>"
    (folder / "pictures").mkdir(parents=True)
    stamp = np.random.default_rng(0).normal(size=(3, 30, 41))
    picture = strip(stamp, stamp, stamp, np.ones(3), ("g", "r", "i"))
    picture.save(folder / "pictures" / "a1.png")
    picture.save(tmp_path / "secret.png")
    (folder / "pictures" / "broken.png").write_bytes(b"not a PNG")
    rows = [{key: row.get(key) for key in COLUMNS} for row in ROWS]
    pq.write_table(pa.Table.from_pylist(rows), folder / "catalogue.parquet")
    state = {"lensmill": "9.9", "weights_digest": "feed", "note": "</script><b>"}
    (folder / "run.json").write_text(json.dumps(state))
    return folder


def page_of(run, **keywords):
    return report(run, **keywords).read_text(encoding="utf-8")


def test_every_object_has_a_card_likeliest_first(run):
    cards = Elements(page_of(run)).attributes("article")
    assert [card["data-id"] for card in cards] == [HOSTILE, "a1", "a3"]
    assert cards[1]["data-p_lens"] == "0.25"
    assert "data-theta_e" not in cards[2]  # attribute names are lower case; NaN sorts last
    assert "psf_assumed" in cards[1]["data-text"]


def test_nothing_hostile_becomes_a_tag_or_an_attribute(run):
    page = page_of(run)
    elements = Elements(page)
    assert page.count("<script") == 1
    assert not [a for _, attributes in elements.tags for a in attributes if a.startswith("on")]
    assert HOSTILE in elements.words


def test_the_page_needs_nothing_else(run):
    page = page_of(run)
    assert not re.search(r"https?://|@import|url\(", page)
    assert all(a["src"].startswith("data:image/jpeg") for a in Elements(page).attributes("img"))


def test_only_our_script_may_run(run):
    page = page_of(run)
    script = re.search(r"<script>(.*?)</script>", page, re.DOTALL).group(1)
    expected = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = Elements(page).attributes("meta")[1]["content"]
    assert f"script-src 'sha256-{expected}'" in policy
    assert "default-src 'none'" in policy


def test_pictures_outside_of_the_run_and_broken_ones_are_left_out(run):
    elements = Elements(page_of(run))
    assert len(elements.attributes("img")) == 1
    assert elements.words.count("no picture") == 2


def test_values_read_as_an_astronomer_writes_them(run):
    words = " ".join(Elements(page_of(run)).words)
    assert "1.00″ +0.20 −0.10" in words
    assert "0° ± 5°" in words
    assert "150.10000° −2.20000° · a1.fits" in words
    assert "> 0.999" in words


def test_failures_are_counted_by_reason(run):
    words = Elements(page_of(run)).words
    assert "Failed: 3" in words
    assert "2 × all pixels are NaN" in words
    assert "b1.fits" in words


def test_the_limit_is_said(run):
    page = page_of(run, limit=1)
    assert len(Elements(page).attributes("article")) == 1
    assert "the 1 likeliest lenses of 3 objects" in page


def test_columns_may_be_missing(tmp_path):
    pq.write_table(pa.table({"id": ["x", "y"]}), tmp_path / "catalogue.parquet")
    page = page_of(tmp_path, out=tmp_path / "elsewhere" / "page.html")
    assert len(Elements(page).attributes("article")) == 2
    assert (tmp_path / "elsewhere" / "page.html").is_file()


def test_an_empty_catalogue_is_a_page(tmp_path):
    table = pa.Table.from_pylist([], pa.schema([("id", pa.string()), ("p_lens", pa.float32())]))
    pq.write_table(table, tmp_path / "catalogue.parquet")
    assert "objects" in page_of(tmp_path)


def test_an_evaluation_is_a_table(tmp_path):
    figures = {
        "auroc": {"value": 0.98764, "error": 0.0012, "n": 2000},
        "tpr0": {"value": None, "error": None, "n": 0},
        "reliability": {"count": [1, 2]},
        "provenance": {"lensmill": "9.9"},
    }
    (tmp_path / "evaluation.json").write_text(json.dumps(figures))
    words = Elements(page_of(tmp_path)).words
    assert words[words.index("auroc") :][:4] == ["auroc", "0.9876", "0.0012", "2000"]
    assert words[words.index("tpr0") :][:4] == ["tpr0", "–", "–", "0"]


def test_a_folder_of_neither_kind_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"holds no catalogue\.parquet"):
        report(tmp_path)


@pytest.mark.parametrize("name", ["catalogue.parquet", "evaluation.json"])
def test_a_broken_file_is_named(tmp_path, name):
    (tmp_path / name).write_text("rubbish")
    with pytest.raises(ValueError, match=name):
        report(tmp_path)


@pytest.fixture
def evaluation(tmp_path):
    """An evaluation of 40 systems, with limits of half of them and pictures of five."""
    generator = np.random.default_rng(1)
    names = ("theta_E", "e1", "e2")
    columns = {"index": np.arange(40), "is_lens": np.arange(40) % 2 == 0}
    columns |= {name: generator.uniform(0.05, 0.3, 40) for name in names}
    for end in ("predicted", "from_truth"):
        columns |= {f"{name}_{end}": columns[name] + 0.01 for name in names}
    columns["display_psnr_denoised"] = np.full(40, 45.0)
    pq.write_table(pa.table(columns), tmp_path / "evaluation.parquet")
    limits = {"index": np.arange(30, 50), "display_psnr_denoised_limit": np.full(20, 47.5)}
    pq.write_table(pa.table(limits), tmp_path / "limits.parquet")
    pictures = {name: generator.integers(0, 255, (5, 30, 41, 3), np.uint8) for name in PICTURES}
    examples = {**pictures, "is_lens": np.arange(5) < 3, "theta_E": np.ones(5)}
    save_examples(tmp_path, examples)
    ranges = {"theta_E": [0.0, 0.4], "q": [0.2, 1.0], "phi": [0.0, 3.14]}
    summary = {
        "display_psnr_denoised_mean": {"value": 45.0, "error": 0.1, "n": 40},
        "mae_chained": {"value": None, "error": None, "n": 0},
        "strata": {"source_snr": []},
        "provenance": {"target_ranges": ranges, "settings": {"split": "test"}},
    }
    (tmp_path / "evaluation.json").write_text(json.dumps(summary))
    return tmp_path


def test_the_papers_table_is_on_the_page_and_in_the_terminal(evaluation):
    words = Elements(page_of(evaluation)).words
    expected = ["47.15", "45.00", "0.10", "40", "47.50", "−2.50"]
    assert words[words.index("(c) denoised against clean, dB") :][1:7] == expected
    assert words[words.index("(d) MAE, chained") :][1:4] == ["0.06", "–", "–"]
    lines = table_one_of(evaluation).splitlines()
    (line,) = (line for line in lines if line.startswith("(c) denoised against clean"))
    assert line.split()[-6:] == expected
    assert len(lines) == 1 + 14 + 1
    assert lines[-1] == UNKNOWN
    assert UNKNOWN in Elements(page_of(evaluation)).words


def test_figures_lie_beside_the_page_and_in_it(evaluation):
    page = Elements(page_of(evaluation))
    assert len(page.attributes("img")) == 2
    with Image.open(evaluation / "figure2.png") as two:
        assert two.width > 5 * 150
    with Image.open(evaluation / "figure3.png") as three:
        assert three.size == (900, 600)  # from truth and chained, of one split


def test_an_evaluation_of_the_training_split_joins_figure_three(evaluation):
    (evaluation / "train").mkdir()
    shutil.copy(evaluation / "evaluation.parquet", evaluation / "train")
    page_of(evaluation)
    with Image.open(evaluation / "figure3.png") as three:
        assert three.size == (900, 1200)


def test_a_survey_run_has_no_table_one(run):
    assert table_one_of(run) == ""


@pytest.mark.parametrize("name", ["examples.npz", "limits.parquet"])
def test_a_broken_part_of_an_evaluation_is_named(evaluation, name):
    (evaluation / name).write_text("rubbish")
    with pytest.raises(ValueError, match=name):
        report(evaluation)
