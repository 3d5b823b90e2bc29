"""benchmarks/cost.py: counts what can be counted by hand, and times every stage in every way."""

import json
import math
import sys

import cost
import pytest
import torch

from lensmill.physics.passband import pass_band
from lensmill.training.recipe import shipped_recipe


def test_flops_of_a_convolution():
    layer = torch.nn.Conv2d(3, 5, 3, padding=1)
    with cost.counter() as counted:
        layer(torch.zeros(2, 3, 11, 13))
    assert counted.get_total_flops() == 2 * 9 * 3 * 5 * 2 * 11 * 13


def test_flops_of_a_transform_there_and_back():
    y, x = 40, 48
    with cost.counter() as counted:
        pass_band(torch.zeros(2, 3, y - 32, x - 32), torch.ones(2, 3))
    padded = (y - 32 + 2 * 7) * (x - 32 + 2 * 15)
    assert counted.get_total_flops() == 2 * round(2.5 * 6 * padded * math.log2(padded))


def test_every_stage_is_counted_and_timed(monkeypatch, tmp_path, capsys):
    """The smallest recipe beside itself: nothing is cheaper than the other."""
    result = tmp_path / "cost.json"
    arguments = ["smoke", "--paper", "smoke", "--images", 3, "--slow", 2, "--rounds", 2]
    command = ["cost.py", *arguments, "--threads", torch.get_num_threads(), "--result", result]
    monkeypatch.setattr(sys, "argv", [str(each) for each in command])
    cost.main()
    found = json.loads(result.read_text())
    assert found["ratio"]["parameters"] == found["ratio"]["flops"] == 1
    assert len(found["ratio"]["images_per_second_cpu_each_round"]) == 2
    for chain in cost.CHAINS:
        assert found[chain]["parameters"].keys() == {*cost.STAGES, "chain"}
        ways = found[chain]["seconds_per_image"]["cpu"]
        assert ways.keys() == {cost.PLAIN, cost.LAST, cost.HALF}
        for seconds in ways.values():
            parts = [seconds[stage] for stage in cost.STAGES]
            assert seconds["chain"] == pytest.approx(sum(parts))
    recipe = shipped_recipe("smoke")
    assert found["compact"]["parameters"] == {
        **(numbers := cost.parameters(cost.chain_of(recipe))),
        "chain": sum(numbers.values()),
    }
    assert "GFLOP an image, chain" in capsys.readouterr().out
