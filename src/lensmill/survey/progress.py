"""Progress: how far a run is, how fast it goes, and what it has found."""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from lensmill.survey.manifest import Line


@dataclass
class Progress:
    """Counts lines of the manifest as they come in."""

    total: int  # objects, as listed
    done: int = 0
    likely: int = 0
    new: int = 0  # since it began
    began: float = field(default_factory=time.perf_counter)

    def add(self, line: Line, new: bool = True) -> None:
        """One more part is done; `new`: in this session."""
        self.done += line["rows"]
        self.likely += line["likely"]
        self.new += line["rows"] if new else 0

    @property
    def share(self) -> float:
        """From 0 to 1; objects that were not counted before are known when they are read."""
        return min(1.0, self.done / max(self.total, 1))

    def __str__(self) -> str:
        """1,024 of 9,000 objects, 85/s, 2 min left, 12 likely lenses."""
        rate = self.new / max(time.perf_counter() - self.began, 1e-3)
        left = f", {_duration((self.total - self.done) / rate)} left" if rate else ""
        likely = f", {self.likely:,} likely lenses"
        return f"{self.done:,} of {self.total:,} objects, {rate:.3g}/s{left}{likely}"


def _duration(seconds: float) -> str:
    """12 s, 5 min or 3.4 h."""
    if seconds < 100:
        return f"{max(seconds, 0):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def counted(lines: Iterable[Line]) -> dict[str, Any]:
    """objects, failed, reasons and stages (images and seconds of each) of a whole run."""
    totals = {name: Counter[str]() for name in ("failed", "seconds", "images")}
    objects = 0
    for line in lines:
        objects += line["rows"]
        for name, total in totals.items():
            total.update(line[name])
    return {
        "objects": objects,
        "failed": totals["failed"].total(),
        "reasons": dict(sorted(totals["failed"].items())),
        "stages": {
            name: _stage(totals["images"][name], seconds)
            for name, seconds in totals["seconds"].items()
        },
    }


def _stage(images: int, seconds: float) -> dict[str, float]:
    """seconds are those of one worker after another."""
    rate = images / seconds if seconds else 0.0
    return {"images": images, "seconds": round(seconds, 3), "images_per_s": round(rate, 2)}
