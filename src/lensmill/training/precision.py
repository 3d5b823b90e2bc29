"""Precision: bf16 where it is faster, measured; some CPUs emulate it and crawl."""

import time
from functools import cache
from typing import Literal

import torch

from lensmill.simulation.workers import one_thread

Precision = Literal["32-true", "bf16-mixed"]


@cache
def fastest_precision(device_type: str) -> Precision:
    """bf16 on GPUs that have it; on a CPU, whichever ran a small convolution faster."""
    if device_type == "cuda":
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    if device_type != "cpu":
        return "32-true"
    return "bf16-mixed" if 1.2 * _seconds(True) < _seconds(False) else "32-true"


def _seconds(bf16: bool) -> float:
    """Processor time of one thread: others at work on this machine must not decide."""
    network = torch.nn.Conv2d(64, 64, 3, padding=1).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    image = torch.zeros(16, 64, 32, 32).to(memory_format=torch.channels_last)
    with one_thread(), torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        times = []
        for _ in range(6):
            start = time.thread_time()
            network(image)
            times.append(time.thread_time() - start)
    return min(times)
