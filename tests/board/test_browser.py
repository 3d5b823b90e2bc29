"""The board in a browser: grades by keyboard outlive reloads and a killed server.

Needs Playwright (extra: browser) and a chromium on the path.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from board_runs import HOSTILE, row, write_images

from lensmill.survey.catalogue import as_table, write_catalogue

pytestmark = [pytest.mark.slow, pytest.mark.browser]
playwright = pytest.importorskip("playwright.sync_api", reason="extra: browser")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 120_000  # ms
GRADES = "abcxabcxab"


class Server:
    """`lensmill board` in a process of its own."""

    def __init__(self, run: Path, port: int = 0) -> None:
        command = (sys.executable, "-m", "lensmill", "board", str(run), "--port", str(port))
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().strip()
        self.home = self.address.split("/objects")[0]
        self.port = int(self.home.rsplit(":", 1)[1])

    def kill(self) -> None:
        self.process.kill()  # SIGKILL
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def server(run):
    for number in range(2, 12):
        write_images(run / "images" / f"00000_{number:05d}_object.fits", number)
    server = Server(run)
    yield server
    server.kill()


@pytest.fixture(scope="module")
def chromium():
    if CHROMIUM is None:
        pytest.skip("no chromium on the path")
    with playwright.sync_playwright() as library:
        browser = library.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


CROWD = 100_000


@pytest.fixture
def crowd(tmp_path):
    """A server of a catalogue of very many."""
    table = as_table([row(number) for number in range(50)]).take(np.arange(CROWD) % 50)
    for name, values in (
        ("id", [f"object {number:06d}" for number in range(CROWD)]),
        ("p_lens", pa.array(1 - np.arange(CROWD) / CROWD, pa.float32())),
    ):
        table = table.set_column(table.column_names.index(name), name, [values])
    (tmp_path / "crowd").mkdir()
    write_catalogue(table, tmp_path / "crowd" / "catalogue.parquet")
    server = Server(tmp_path / "crowd")
    yield server
    server.kill()


def test_very_many_are_scrolled_through_with_few_cells(chromium, crowd):
    page = chromium.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(PATIENCE)
    page.goto(crowd.address)
    page.wait_for_selector(".tile.cursor b:text('object 000000')")
    page.wait_for_selector("#count:text('100,000 of 100,000')")
    page.keyboard.press("End")
    page.wait_for_selector(".tile.cursor b:text('object 099999')")
    page.keyboard.press("a")
    page.wait_for_selector(".tile.cursor .badge:text('A')")
    assert page.locator("#space > *").count() < 150
    page.close()


@pytest.fixture
def page(chromium, server):
    """The mosaic; whatever goes wrong in it fails the test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE)
    page, wrong = context.new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
    page.on(
        "request",
        lambda request: request.url.startswith((server.home, "data:")) or wrong.append(request.url),
    )
    page.goto(server.address)
    page.wait_for_selector(".tile b:text('object 000')")
    yield page
    context.close()
    assert wrong == []


def _foreign(address, home):
    return [] if address.startswith(home) else [address]


def badges(page):
    """{object: grade} of the tiles in sight."""
    tiles = page.locator(".tile:visible").all()
    found = {tile.locator("b").inner_text(): tile.locator(".badge").inner_text() for tile in tiles}
    return {name: grade for name, grade in found.items() if grade}


EXPECTED = {f"object {number:03d}": grade.upper() for number, grade in enumerate(GRADES)}


def all_saved(page, count):
    page.wait_for_selector(f"#count:text('{count} graded')")
    page.wait_for_selector("#unsaved", state="hidden")


def test_ten_grades_by_keyboard_outlive_a_reload_and_a_killed_server(page, server, run):
    for key in GRADES[:5]:
        page.keyboard.press(key)
    all_saved(page, 5)
    server.kill()
    for key in GRADES[5:]:
        page.keyboard.press(key)
    page.wait_for_selector("#unsaved:visible")
    assert badges(page) == EXPECTED
    restarted = Server(run, server.port)
    try:
        all_saved(page, 10)
        page.reload()
        page.wait_for_selector(".tile .badge:text('X')")
        assert badges(page) == EXPECTED
        restarted.kill()
        restarted = Server(run, server.port)
        page.goto(restarted.home)
        page.wait_for_selector(".tile .badge:text('X')")
        assert badges(page) == EXPECTED
    finally:
        restarted.kill()


def test_a_filter_an_order_and_a_place_outlive_a_reload(page):
    page.keyboard.press("/")
    page.keyboard.type("p_lens < 0.5 and id contains object")
    page.keyboard.press("Enter")
    page.wait_for_selector("#count:text('39 of 47')")
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("t")
    page.wait_for_selector(".line.cursor .text:text('object 003')")
    page.reload()
    page.wait_for_selector(".line.cursor .text:text('object 003')")
    assert page.input_value("[name=where]") == "p_lens < 0.5 and id contains object"
    page.keyboard.press("Enter")
    page.wait_for_selector("#name:text('object 003')")
    page.reload()
    page.wait_for_selector("#name:text('object 003')")
    assert page.locator("#place").inner_text() == "2 of 39"
    page.go_back()
    page.wait_for_selector(".line.cursor")


def test_a_wrong_filter_is_explained(page):
    page.fill("[name=where]", "p_lenz > 0.5")
    page.keyboard.press("Enter")
    page.wait_for_selector("#problem:text(\"did you mean 'p_lens'\")")


def test_one_candidate_by_keyboard_alone(page):
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_selector("figure.large svg .median")
    page.locator("figure.large img").evaluate("image => image.decode()")
    assert page.locator("figure.large img").evaluate("image => image.naturalWidth") == 37
    page.keyboard.press("3")
    page.wait_for_selector("figure.large[data-panel=source]")
    page.keyboard.press("o")
    assert page.locator("svg .median").count() == 0
    page.keyboard.press("m")
    page.keyboard.type("arc to the north")
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    page.wait_for_selector("#name:text('object 002')")
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector("#buttons [value=B][aria-pressed=true]")
    assert page.input_value("#note") == "arc to the north"
    page.keyboard.press("Backspace")
    page.wait_for_selector("#buttons [value=B][aria-pressed=false]")


def test_focus_is_seen_wherever_it_goes(page):
    # After the last control the focus leaves the page, and comes back to the first.
    seen = "e => getComputedStyle(e).outlineStyle !== 'none' || e.matches('#list, body')"
    for _ in range(14):
        page.keyboard.press("Tab")
        assert page.evaluate_handle("document.activeElement").evaluate(seen)


LEGIBLE = """() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => channels(colour).slice(0, 3)
    .map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0);
  const ground = (node) => {
    const colour = getComputedStyle(node).backgroundColor;
    return channels(colour)[3] === 0 ? ground(node.parentElement) : colour;
  };
  const contrast = (node) => {
    const both = [getComputedStyle(node).color, ground(node)];
    const [low, high] = both.map(light).sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const says = (node) => [...node.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
  const { innerWidth } = window, wrong = [];
  for (const node of document.body.querySelectorAll("*")) {
    const box = node.getBoundingClientRect();
    if (!box.width || !node.checkVisibility() || !(says(node) || node.matches("input"))) continue;
    if (box.right > innerWidth + 1 || box.left < -1) wrong.push(["outside", node.outerHTML]);
    const drawn = node.closest("svg"); // its unit is the arcsec
    const size = drawn ? box.height : parseFloat(getComputedStyle(node).fontSize);
    if (size < 12) wrong.push(["small", node.outerHTML]);
    if (!drawn && contrast(node) < 4.5) wrong.push(["faint", node.outerHTML]);
  }
  if (document.documentElement.scrollWidth > innerWidth) wrong.push(["wide", ""]);
  return wrong;
}"""


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (2560, 1440)])
def test_readable_in_small_and_large_windows(page, width, height):
    """Nothing beyond the edge, no letter under 12 pixels, contrast as WCAG 2.1 AA has it."""
    page.set_viewport_size({"width": width, "height": height})
    page.keyboard.press("a")
    page.wait_for_selector(".tile .badge:text('A')")
    assert page.evaluate(LEGIBLE) == []
    page.keyboard.press("t")
    page.wait_for_selector(".line.cursor .text:text('object 001')")
    assert page.evaluate(LEGIBLE) == []
    page.keyboard.press("Enter")
    page.wait_for_selector("figure.large svg .median")
    assert page.evaluate(LEGIBLE) == []
    sizes = page.locator("figure").evaluate_all("all => all.map((f) => f.offsetWidth)")
    assert max(sizes) > 0.3 * width, "the large image is large"
    page.keyboard.press("?")
    page.wait_for_selector("#help[open]")
    assert page.evaluate(LEGIBLE) == []
    page.goto(f"{page.url.split('/objects')[0]}/grades")
    page.wait_for_selector("#graders td")
    assert page.evaluate(LEGIBLE) == []


def test_a_scrolled_frame_leaves_the_cells_in_sight_as_they_are(page):
    page.wait_for_load_state("networkidle")
    page.route("**/state.json*", lambda route: route.abort())  # what others did is drawn, too
    page.wait_for_timeout(1000)
    changes = page.evaluate("""async () => {
      const list = document.getElementById("list");
      const frame = () => new Promise(requestAnimationFrame);
      let changes = 0;
      const all = { attributes: true, childList: true, characterData: true, subtree: true };
      new MutationObserver((some) => (changes += some.length))
        .observe(document.getElementById("place-0"), all);
      for (let n = 0; n < 20; n++) { list.scrollTop += 5; await frame(); await frame(); }
      return [list.scrollTop, changes];
    }""")
    assert changes == [100, 0]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_a_name(page, name):
    page.goto(page.url.split("?")[0] + "?where=id+contains+object+or+p_lens+%3C+0.03&sort=p_lens")
    page.locator(".tile b").get_by_text(name, exact=True).first.click()
    page.keyboard.press("Enter")
    page.locator("#name").get_by_text(name, exact=True).wait_for()
    assert page.locator("#name").inner_text() == name
    assert page.locator("script:not([src])").count() == 0
