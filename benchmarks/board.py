"""The board of a run of 100,000: how soon it is there, how smoothly it scrolls, what it weighs.

    python benchmarks/board.py [--objects 100000] [--chromium chromium] [--result FILE]

Writes a run as `lensmill run --images` leaves it (the parts; a few hundred image files that all
objects share), opens its board in a headless Chromium (extra: browser) and scrolls the mosaic and
the table frame by frame, at a reader's pace and as fast as a dragged scroll bar. Frames come 60
times a second at best, so 16.7 ms is the least; what the page itself works in a frame stands
beside it. Writes benchmarks/results/board.json.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import Request, urlopen

import numpy as np
from board_run import write_run

from lensmill.provenance import provenance

RESULTS = Path(__file__).parent / "results" / "board.json"
WINDOWS = ((1280, 800), (2560, 1440))
PACES = {"reading": 40, "dragging": 4000}
"""Pixels in a frame."""
FRAMES = 300
TIMES = 9
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
PATIENCE = 60_000  # ms

SCROLL = """async ([pace, frames]) => {
  const list = document.getElementById("list"), times = [];
  const frame = () => new Promise(requestAnimationFrame);
  const box = list.getBoundingClientRect();
  const unnamed = () => [200, 300].every((y) => !/object/.test(
    document.elementFromPoint(box.left + 60, box.top + y)?.closest("[role=option]")?.textContent));
  let late = 0, last = await frame();
  for (let n = 0; n < frames; n++) {
    list.scrollTop += pace;
    const now = await frame();
    times.push(now - last);
    last = now;
    late += unnamed();
  }
  const stopped = performance.now();
  while (unnamed()) await frame();
  return { times, late: late / frames, wait: performance.now() - stopped };
}"""
PICTURED = """async () => {
  const bottom = document.getElementById("list").getBoundingClientRect().bottom;
  const there = (image) => image.complete && image.naturalWidth;
  const seen = (cell) => cell.getBoundingClientRect().top < bottom && !/nan/.test(cell.textContent);
  for (;;) {
    const images = [...document.querySelectorAll("[role=option]:not([hidden])")].filter(seen)
      .map((cell) => cell.querySelector("img"));
    if (images.length && images.every(there)) return;
    await new Promise(requestAnimationFrame);
  }
}"""


class Server:
    """`lensmill board` in a process of its own."""

    def __init__(self, run: Path) -> None:
        start = time.perf_counter()
        command = (sys.executable, "-m", "lensmill", "board", str(run), "--port", "0")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.address = (self.process.stdout or sys.stdin).readline().strip()
        self.seconds_to_listen = time.perf_counter() - start
        parts = urlsplit(self.address)
        self.home = f"{parts.scheme}://{parts.netloc}"
        self.token = parse_qs(parts.query)["token"][0]

    def memory_mb(self) -> dict[str, float]:
        """Resident memory now and at its highest, as Linux counts it."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        said = dict(line.split(":", 1) for line in lines)
        kb = {"now": said["VmRSS"], "peak": said["VmHWM"]}
        return {name: int(value.split()[0]) / 1024 for name, value in kb.items()}

    def get(self, path: str, **query: Any) -> bytes:
        """The answer to a script that asks."""
        address = f"{self.home}{path}?{urlencode(query)}"
        answer = urlopen(Request(address, headers={"Authorization": f"Bearer {self.token}"}))
        content: bytes = answer.read()
        return content

    def kill(self) -> None:
        """At once."""
        self.process.kill()
        self.process.wait()


def milliseconds(act: Callable[[int], Any]) -> float:
    """Median of `TIMES`; `act` gets the number of the try."""
    taken = []
    for number in range(TIMES):
        start = time.perf_counter()
        act(number)
        taken.append(1000 * (time.perf_counter() - start))
    return float(np.median(taken))


def ask(server: Server, count: int) -> dict[str, float]:
    """Milliseconds of one answer, asked by a script; filters and sorts are new each time."""
    some = json.loads(server.get("/objects.json", offset=count // 2, where="reason is none"))
    keys = [each["key"] for each in some["objects"]]
    asked: dict[str, Callable[[int], Any]] = {
        "page": lambda n: server.get("/objects.json", offset=100 * n, limit=100),
        "filter": lambda n: server.get("/objects.json", where=f"p_lens > 0.{n + 1}"),
        "filter_text": lambda n: server.get("/objects.json", where=f"id contains '{n}7'"),
        "sort": lambda n: server.get("/objects.json", where=f"p_lens > -{n + 1}", sort="theta_E"),
        "sort_text": lambda n: server.get("/objects.json", where=f"dec < 9{n}", sort="id"),
        "single": lambda n: server.get(f"/objects/{keys[n]}.json"),
        "image": lambda n: server.get(f"/objects/{keys[n]}/input.png"),
        "next_ungraded": lambda n: server.get("/next.json", n=n),
        "state": lambda n: server.get("/state.json"),
    }
    return {name: milliseconds(act) for name, act in asked.items()}


@contextmanager
def timed(found: dict[str, Any], name: str) -> Iterator[None]:
    """Milliseconds of what is done in it."""
    start = time.perf_counter()
    yield
    found[name] = 1000 * (time.perf_counter() - start)


def scroll(page: Any, pace: int) -> dict[str, float]:
    """Frames while the list moves `pace` pixels in each, and what the page's thread does in one."""
    client = page.context.new_cdp_session(page)
    client.send("Performance.enable", {"timeDomain": "threadTicks"})

    def busy() -> float:
        metrics = client.send("Performance.getMetrics")["metrics"]
        return float({each["name"]: each["value"] for each in metrics}["TaskDuration"])

    before = busy()
    found = page.evaluate(SCROLL, [pace, FRAMES])
    work = 1000 * (busy() - before) / FRAMES
    median, high = np.percentile(found["times"], (50, 95))
    return {
        "frame_ms_median": median,
        "frame_ms_95": high,
        "frame_ms_longest": max(found["times"]),
        "work_ms_per_frame": work,
        "frames_without_names": found["late"],
        "names_after_ms": found["wait"],
    }


def look(page: Any, server: Server, view: str) -> dict[str, Any]:
    """One view of the list, from its address on: there, scrolled, filtered, sorted."""
    found: dict[str, Any] = {}
    cell = ".tile" if view == "mosaic" else ".space > .line"
    named = f"{cell}:visible:has-text('object')"
    with timed(found, "first_names_ms"):
        page.goto(f"{server.address}&view={view}", wait_until="commit")
        page.wait_for_selector(named)
    with timed(found, "then_first_images_ms"):
        page.evaluate(PICTURED)
    for name, pace in PACES.items():
        page.evaluate("document.getElementById('list').scrollTop = 0")
        page.wait_for_timeout(1000)
        found[name] = scroll(page, pace)
    with timed(found, "end_key_ms"):
        page.keyboard.press("End")
        page.wait_for_selector(f"{cell}.cursor:has-text('object')")
    found["cells"] = page.locator("#space > *").count()
    page.fill("[name=where]", "p_lens > 0.5 and id contains 7")
    with timed(found, "filter_ms"):
        page.press("[name=where]", "Enter")
        page.wait_for_selector(f"#count:not(:text('{page.inner_text('#count')}'))")
    with timed(found, "sort_ms"):
        with page.expect_response(lambda answer: "theta_E" in answer.url):
            page.select_option("[name=sort]", "theta_E")
        page.wait_for_selector(f"{cell}.cursor:has-text('object')")
    return found


def browse(server: Server, chromium: str) -> dict[str, Any]:
    """Both views in every window."""
    from playwright.sync_api import sync_playwright

    found: dict[str, Any] = {}
    with sync_playwright() as library:
        browser = library.chromium.launch(executable_path=chromium, args=list(FLAGS))
        found["chromium"] = browser.version
        for width, height in WINDOWS:
            for view in ("mosaic", "table"):
                context = browser.new_context(viewport={"width": width, "height": height})
                context.set_default_timeout(PATIENCE)
                found[f"{view}_{width}"] = look(context.new_page(), server, view)
                context.close()
        browser.close()
    return found


def measure(count: int, chromium: str) -> dict[str, Any]:
    """Everything, of a run that is gone afterwards."""
    load = [os.getloadavg()]
    with tempfile.TemporaryDirectory() as temporary:
        run = Path(temporary) / "run"
        write_run(run, count)
        server = Server(run)
        try:
            started = {"seconds_to_listen": server.seconds_to_listen}
            memory = {"memory_mb_at_start": server.memory_mb()["now"]}
            answers = ask(server, count)
            pages = browse(server, chromium)
            memory["memory_mb_peak"] = server.memory_mb()["peak"]
        finally:
            server.kill()
    load.append(os.getloadavg())
    return {"server": started | memory, "answer_ms": answers, **pages, "load_before_after": load}


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=100_000)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--result", type=Path, default=RESULTS)
    given = parser.parse_args()
    found = {"objects": given.objects, **measure(given.objects, given.chromium)}
    command = f"benchmarks/board.py --objects {given.objects}"
    figures = json.loads(json.dumps(found), parse_float=lambda text: round(float(text), 2))
    given.result.write_text(json.dumps({**figures, **provenance(command=command)}, indent=1) + "\n")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
