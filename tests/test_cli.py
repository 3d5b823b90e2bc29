"""The command line: one message for a mistake, documented exit codes, nothing undocumented."""

import re
from pathlib import Path

import pytest
from typer import Exit
from typer.testing import CliRunner

from lensmill.cli import app
from lensmill.cli.shared import GOES_ON, friendly, tell_figures

ROOT = Path(__file__).parents[1]


def invoke(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_every_verb_has_help_and_a_function():
    import lensmill

    for command in app.registered_commands:
        name = command.callback.__name__
        shown = command.name or name.replace("_", "-")
        assert invoke(shown, "--help").exit_code == 0
        assert callable(getattr(lensmill, name))


def test_every_verb_is_in_the_readme():
    text = (ROOT / "README.md").read_text()
    for command in app.registered_commands:
        assert (command.name or command.callback.__name__) in text


def test_an_empty_folder_is_exit_code_1(tmp_path):
    result = invoke("run", tmp_path, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "no images" in result.output
    assert "Traceback" not in result.output


def test_a_typo_in_a_recipe_is_named(tmp_path):
    (tmp_path / "my.toml").write_text("[simulation]\npixel_scal = [0.2, 0.2]\n")
    result = invoke("train", "--recipe", tmp_path / "my.toml", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "simulation.pixel_scal: no such key; did you mean 'pixel_scale'?" in result.output


@pytest.mark.parametrize(
    "command",
    [
        "simulate {}",
        "train denoise --out {}",
        "search denoise --out {}",
        "evaluate --out {}",
        "run {} --out {}",
    ],
)
@pytest.mark.parametrize("device", ["foo", "cuda:99"])
def test_an_unknown_device_names_the_choices_and_claims_nothing(tmp_path, command, device):
    out = tmp_path / "out"
    result = invoke(*command.format(out, out).split(), "--device", device)
    assert result.exit_code == 1, result.output
    assert f"no device '{device}' here; choices: auto, " in " ".join(result.output.split())
    assert not out.exists()


@pytest.mark.parametrize(
    "command",
    [
        "limits --recipe smoke --count 2 --out {}",
        "train denoise --recipe smoke --budget 0.01 --out {}",
        "evaluate --recipe smoke --count 2 --baseline 0 --out {}",
    ],
)
def test_a_file_in_the_place_of_a_folder_is_named(tmp_path, command):
    (tmp_path / "file").touch()
    result = invoke(*command.format(tmp_path / "file").split())
    assert result.exit_code == 1
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert f"lensmill: {tmp_path / 'file'}" in result.output.replace("\n", "")


def test_what_is_no_number_of_objects(tmp_path):
    result = invoke("operating-point", tmp_path, "--density", -5)
    assert result.exit_code == 2
    assert "--density" in result.output


def test_an_unknown_survey_names_the_choices(tmp_path):
    result = invoke("run", tmp_path, "--survey", "sdss")
    assert result.exit_code == 1
    assert "lsst_10year" in result.output


@pytest.mark.parametrize(
    ("option", "text"),
    [("--psf-fwhm", "0.9 0.8"), ("--hdus", "a,b"), ("--cut", "64x64"), ("--mask-bits", "BAD")],
)
def test_numbers_that_are_none(tmp_path, option, text):
    result = invoke("run", tmp_path, "--positions", "p.csv", option, text)
    assert result.exit_code == 1
    assert f"{option}: {text!r} is no comma-separated list of" in " ".join(result.output.split())


@pytest.mark.parametrize("option", ["--cut", "--mask-bits"])
def test_what_is_said_of_tiles_is_refused_of_stamps(tmp_path, option):
    result = invoke("run", tmp_path, option, "20")
    assert result.exit_code == 1
    assert f"{option} is for stamps cut from tiles" in result.output


@pytest.mark.parametrize(("messages", "words"), [((), "nothing was kept"), ((GOES_ON,), "goes on")])
def test_ctrl_c_says_what_is_kept(capsys, messages, words):
    with pytest.raises(Exit), friendly(*messages):
        raise KeyboardInterrupt
    assert words in capsys.readouterr().err


def test_only_what_goes_on_says_so():
    texts = {path.stem: path.read_text() for path in (ROOT / "src/lensmill/cli").glob("*.py")}
    going_on = {name for name, text in texts.items() if "friendly(GOES_ON)" in text}
    assert going_on == {"run", "watch", "simulate", "train", "search"}


def test_a_chain_has_no_other_start(tmp_path):
    arguments = ["train", "together", "--recipe", "compact", "--start", str(tmp_path)]
    result = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path)])
    assert result.exit_code == 1
    assert "--start is for a stage" in result.output


def test_an_unknown_split(tmp_path):
    result = invoke("simulate", tmp_path / "data", "--split", "holdout")
    assert result.exit_code == 1
    assert "train, validation, test" in result.output


def test_a_data_set_of_scenes_alone(tmp_path):
    """Shown and counted; then the same command finds it whole."""
    recipe = ROOT / "src/lensmill/recipes/smoke.toml"
    command = ("simulate", tmp_path, "--recipe", recipe, "--count", 10, "--shard", 8)
    for _ in range(2):
        result = invoke(*command, "--parameters-only")
        assert result.exit_code == 0, result.output
    beside = {path.name for path in tmp_path.iterdir() if not path.name.startswith("shard-")}
    assert beside == {"manifest.json", "preview.png", "distributions.png", "statistics.json"}
    assert "another images" in invoke(*command).output


def test_an_unknown_image(tmp_path):
    result = invoke("simulate", tmp_path / "data", "--images", "noisy,residual")
    assert result.exit_code == 1
    assert "'residual'; choices: noisy, clean, source" in result.output


def test_simulate_then_train_a_step_from_shards(tmp_path):
    text = (ROOT / "src/lensmill/recipes/smoke.toml").read_text()
    text = re.sub(r"steps = \d+", "steps = 2", text)
    (tmp_path / "r.toml").write_text(text)
    data, out = tmp_path / "data", tmp_path / "out"
    simulated = invoke(
        "simulate", data, "--recipe", tmp_path / "r.toml", "--count", 16, "--shard", 8
    )
    assert simulated.exit_code == 0, simulated.output
    trained = invoke(
        "train", "denoise", "--recipe", tmp_path / "r.toml", "--shards", data, "--out", out
    )
    assert trained.exit_code == 0, trained.output
    assert (out / "denoise.safetensors").is_file()
    assert (out / "denoise.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((), "--benchmark paper"), (("--benchmark", "pap"), "choices: paper")],
)
def test_a_report_needs_something_to_report(arguments, message):
    result = invoke("report", *arguments)
    assert result.exit_code == 1
    assert message in result.output


def test_a_figure_of_nothing_is_not_told(capsys):
    measured, empty = {"value": 0.5, "error": 0.1, "n": 4}, {"value": None, "error": None, "n": 0}
    tell_figures({"accuracy": measured, "deblend_beats_baseline_share": empty, "given": {}})
    assert capsys.readouterr().out.split() == ["accuracy", "0.5", "±", "0.1"]
