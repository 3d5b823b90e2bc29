// The board: a list of candidates as mosaic or table, one of them in full, and grades by key.
import { COLUMNS, head, lines, tiles } from "./cells.js";
import { fillControls, focusFilter, listenToControls, showControls, step } from "./controls.js";
import { element } from "./format.js";
import { Grid } from "./grid.js";
import { listenToKeys, showHelp } from "./keys.js";
import { List } from "./list.js";
import { ask, keepMark, startSending } from "./server.js";
import { makePanels, showGrade, showPanels, showSingle } from "./single.js";
import { address, read, state, withQuery, write } from "./state.js";

const POLL = 5000; // ms
const part = (name) => document.getElementById(name);
const list = new List(() => grid.later(true), tell);
const kinds = { mosaic: tiles(list), table: lines(list) };
const grid = new Grid(part("list"), part("space"), kinds.mosaic);
let now; // what the server said of the run
let known = 0; // the revision whose grades we show
let one; // the candidate shown in full, as the server gave it

const askState = () => ask(withQuery("/state.json", [["grader", state.grader]]));

function tell(error) {
  part("problem").textContent = error?.message ?? "";
  part("problem").hidden = !error;
}

async function start() {
  read();
  now = await askState();
  known = now.revision;
  document.title = `${now.run} · lensmill board`;
  part("run").textContent = now.run;
  fillControls(now);
  makePanels(now.panels, (panel) => { write({ panel }); relook(); });
  makeButtons();
  startSending(now.board, sent);
  listenToControls(relist, relook);
  listenToKeys(act);
  await relist();
  setInterval(poll, POLL);
}

// Other objects, or another order.
async function relist() {
  showControls();
  try {
    await list.load();
    tell();
  } catch (error) {
    tell(error);
  }
  part("empty").hidden = list.total > 0;
  show();
  poll();
}

// What the address says: one candidate, or the list at a place.
async function show() {
  showControls();
  part("list").hidden = Boolean(state.key);
  part("single").hidden = !state.key;
  one = undefined;
  if (state.key) return showOne();
  const kind = state.view === "table" ? "table" : "mosaic";
  part("list").dataset.view = kind;
  part("head").hidden = kind !== "table";
  head(part("head"), sortBy);
  grid.reset(list.total, kinds[kind]);
  grid.move(Number(state.n));
  part("list").focus({ preventScroll: true });
  links();
}

async function showOne() {
  one = undefined; // what is not shown yet cannot be graded
  try {
    const asked = state.key;
    const found = await list.single(asked, state.n);
    if (asked !== state.key) return;
    one = found;
    if (one.place !== null) write({ n: String(one.place) });
    showSingle(one.object, one, now.columns);
    ahead();
  } catch (error) {
    tell(error);
  }
  links();
}

// The images of the next candidate, before they are asked for.
function ahead() {
  const next = list.at(Number(state.n) + 1);
  if (!next || next.reason) return;
  for (const figure of part("panels").children) {
    const image = figure.querySelector("img").getAttribute("src");
    new Image().src = image.replace(encodeURIComponent(state.key), encodeURIComponent(next.key));
  }
}

// The same objects in another look.
function relook() {
  showControls();
  if (state.key && one) {
    showSingle(one.object, one, now.columns);
  } else {
    grid.move(grid.cursor);
  }
  links();
}

function links() {
  part("mosaic-link").href = address({ key: "", view: "mosaic" });
  part("table-link").href = address({ key: "", view: "table" });
  part("grades-link").href = `/grades${location.search}`;
  const current = state.key ? "" : state.view;
  for (const name of ["mosaic", "table"]) {
    part(`${name}-link`).toggleAttribute("aria-current", name === current);
  }
}

function sortBy(name) {
  const descending = state.sort !== `-${name}`;
  write({ sort: descending ? `-${name}` : name, n: "0" });
  relist();
}

// To another place of the list.
async function go(place) {
  place = Math.max(0, Math.min(list.total - 1, place));
  if (!state.key) {
    write({ n: String(place) });
    grid.move(place);
    return;
  }
  const object = list.at(place) ?? (await there(place));
  if (object) {
    write({ key: object.key, n: String(place) });
    await showOne();
  }
}

async function there(place) {
  while (!list.at(place)) await new Promise((done) => setTimeout(done, 50));
  return list.at(place);
}

const here = () => Number(state.n);
const current = () => (state.key ? one?.object : list.at(here()));

function grade(letter) {
  const object = current();
  if (!object) return;
  say(object, "grade", letter);
  if (letter && here() + 1 < list.total) go(here() + 1);
}

// Shown at once; the server has it as soon as it can.
function say(object, field, given) {
  const copies = [object, list.at(here())].filter((each) => each?.key === object.key);
  for (const each of copies) each[`my_${field}`] = given || null;
  const { grader } = state;
  keepMark(object.key, { grader, round: object.round, field, value: given });
  if (state.key) showGrade(object);
  else grid.draw();
}

function sent(waiting, revision, problem) {
  if (revision) known = Math.max(known, revision);
  const words = `${waiting} not saved yet: the board does not answer. Keep this tab open.`;
  part("unsaved").textContent = problem || words;
  part("unsaved").hidden = !waiting && !problem;
  if (!waiting) poll();
}

function makeButtons() {
  part("buttons").replaceChildren(...now.grades.map((letter) => {
    const button = element("button", letter);
    Object.assign(button, { type: "button", value: letter });
    button.dataset.grade = letter;
    button.addEventListener("click", () => grade(letter));
    return button;
  }));
}

// What others did, and what the run has come to.
async function poll() {
  try {
    now = await askState();
  } catch {
    return;
  }
  if (now.revision > known) list.refresh();
  else grid.later(true); // asks again for what could not be had
  known = Math.max(known, now.revision);
  const more = now.rows - (list.rows ?? now.rows);
  part("fresh").hidden = more <= 0;
  part("fresh").textContent = `${more} new: list anew (R)`;
  const running = now.finished ? "" : " · still running";
  part("count").textContent =
    `${list.total.toLocaleString("en")} of ${now.candidates.toLocaleString("en")} candidates · ` +
    `${now.graded.toLocaleString("en")} graded by ${state.grader}${running}`;
}

function back() {
  if (!state.key) return false;
  write({ key: "" }, true);
  show();
}

function open(object) {
  if (!object) return;
  write({ key: object.key }, true);
  show();
}

async function nextUngraded() {
  const { place } = await list.nextUngraded(here() + 1);
  if (place === null) tell(new Error("Everything in this list is graded."));
  else await go(place);
}

const MOVES = {
  ArrowLeft: () => -1, ArrowRight: () => 1,
  ArrowUp: () => (state.key ? -1 : -grid.columns), ArrowDown: () => (state.key ? 1 : grid.columns),
  PageUp: () => (state.key ? -1 : -grid.pageRows()), PageDown: () => (state.key ? 1 : grid.pageRows()),
  Home: () => -list.total, End: () => list.total,
};
const ACTS = {
  Enter: () => (state.key ? back() : open(list.at(here()))),
  Escape: back,
  Backspace: () => grade(""), Delete: () => grade(""),
  n: nextUngraded,
  m: () => { open(state.key ? undefined : list.at(here())); part("note").focus(); },
  o: () => { write({ curves: state.curves === "1" ? "0" : "1" }); part("curves").checked = state.curves === "1"; relook(); },
  "[": () => step("band", -1), "]": () => step("band", 1),
  "-": () => step("brightness", -1), "+": () => step("brightness", 1), "=": () => step("brightness", 1),
  s: () => step("stretch", 1),
  t: () => { write({ key: "", view: state.view === "table" ? "mosaic" : "table" }); show(); },
  r: relist, "/": focusFilter, "?": showHelp,
};

function act(key) {
  if (MOVES[key]) return void go(here() + MOVES[key]());
  if (ACTS[key]) return ACTS[key]();
  if (now.grades.includes(key.toUpperCase())) return grade(key.toUpperCase());
  const panel = now.panels[Number(key) - 1];
  if (!panel) return false;
  write({ panel });
  relook();
}

part("space").addEventListener("click", (event) => {
  const cell = event.target.closest("[role=option]");
  if (!cell) return;
  const place = Number(cell.id.replace("place-", ""));
  if (place === grid.cursor && here() === place) open(list.at(place));
  else go(place);
});
part("space").addEventListener("dblclick", () => open(list.at(here())));
part("fresh").addEventListener("click", relist);
part("help-button").addEventListener("click", showHelp);
part("curves").addEventListener("change", () => ACTS.o());
part("note").addEventListener("change", ({ target }) => {
  if (one?.object.key === target.dataset.key) say(one.object, "note", target.value.trim());
});
for (const view of ["mosaic", "table"]) {
  part(`${view}-link`).addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    write({ key: "", view }, true);
    show();
  });
}
addEventListener("popstate", () => { read(); relist(); });
start().catch(tell);
