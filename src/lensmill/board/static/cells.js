// The two kinds of cells: a tile of the mosaic and a line of the table.
import { angle, element, interval, named, probability, value } from "./format.js";
import { imageAddress, state } from "./state.js";

const TILE = { s: 132, m: 200, l: 300 };
const CAPTION = 44;
const LINE = 46;

// Columns of the table: title, unit, what is shown, column to sort by, hidden from the blind.
export const COLUMNS = [
  { kind: "thumb" },
  { title: "grade", kind: "badge", sort: "my_grade" },
  { title: "object", kind: "text", sort: "id", show: (o) => o.id ?? "" },
  { title: "p_lens", sort: "p_lens", secret: true, show: (o) => value("p_lens", o.p_lens) },
  { title: "θ_E", unit: "arcsec", sort: "theta_E", secret: true, show: (o) => interval(o, "theta_E") },
  { title: "q", sort: "q", secret: true, show: (o) => interval(o, "q") },
  { title: "φ", unit: "deg", sort: "position_angle_deg", secret: true, show: angle },
  { title: "source S/N", sort: "source_snr", secret: true, show: (o) => value("source_snr", o.source_snr) },
  { title: "RA", unit: "deg", sort: "ra", show: (o) => value("ra", o.ra) },
  { title: "Dec", unit: "deg", sort: "dec", show: (o) => value("dec", o.dec) },
  { title: "all graders", sort: "grade_mean", secret: true, show: together },
  { title: "flags, reason", kind: "text", sort: "flags", show: (o) => o.reason || o.flags || "" },
];

function together(object) {
  return object.graders ? `${object.grade} (${object.graders})` : "";
}

const figure = (letter, given, show) => (typeof given === "number" ? `${letter} ${show(given)}` : "");

function thumbnail(node, object) {
  const image = node.querySelector("img");
  const wanted = object && !object.reason ? imageAddress(object.key, state.panel) : "";
  node.dataset.image = wanted;
  if (image.getAttribute("src") !== wanted) {
    image.removeAttribute("src");
    node.classList.remove("none");
  }
  if (!wanted) node.classList.toggle("none", Boolean(object));
}

// Fetches the picture that `thumbnail` asked for.
function settle(node) {
  const image = node.querySelector("img");
  if (node.dataset.image && !image.hasAttribute("src") && !node.hidden) image.src = node.dataset.image;
}

function picture(node) {
  const image = element("img");
  image.alt = "";
  image.decoding = "async";
  image.addEventListener("error", () => node.classList.add("none"));
  return image;
}

function badge(node, object) {
  node.textContent = object?.my_grade ?? "";
  node.dataset.grade = object?.my_grade ?? "";
}

export const tiles = (list) => ({
  size: () => ({ width: TILE[state.size] ?? TILE.m, height: (width) => width + CAPTION, gap: 8 }),
  create() {
    const node = element("div", "", "tile");
    const words = element("div", "", "caption");
    words.append(element("b"), element("span"), element("span", "", "dim"));
    node.append(picture(node), element("i", "", "badge"), words);
    return node;
  },
  update(node, place) {
    const object = list.at(place);
    const [name, left, right] = node.querySelector(".caption").children;
    thumbnail(node, object);
    badge(node.querySelector(".badge"), object);
    name.textContent = object?.id ?? "…";
    name.title = object?.id ?? "";
    const told = object && !state.blind ? object : {};
    left.textContent = told.reason ? told.flags : figure("p", told.p_lens, (p) => probability(p));
    right.textContent = figure("θ", told.theta_E, (theta) => `${theta.toFixed(2)}″`);
  },
  settle,
});

export const lines = (list) => ({
  size: () => ({ width: 1e6, height: () => LINE, gap: 0 }),
  create() {
    const node = element("div", "", "line");
    for (const { kind = "figure" } of COLUMNS) {
      const cell = element(kind === "badge" ? "i" : "span", "", kind);
      if (kind === "thumb") cell.append(picture(node));
      node.append(cell);
    }
    return node;
  },
  update(node, place) {
    const object = list.at(place);
    thumbnail(node, object);
    COLUMNS.forEach(({ kind, secret, show }, number) => {
      const cell = node.children[number];
      if (kind === "badge") badge(cell, object);
      else if (show) cell.textContent = object && !(secret && state.blind) ? show(object) : "";
      if (kind === "text") cell.title = cell.textContent;
    });
  },
  settle,
});

// The table's head: names, units, and the order.
export function head(node, sortBy) {
  node.replaceChildren(...COLUMNS.map(({ title, unit, kind = "figure", sort }) => {
    const cell = element("span", "", kind);
    if (!sort) return cell;
    const button = named(element("button"), title);
    button.type = "button";
    if (unit) button.append(element("small", ` ${unit}`));
    const sorted = state.sort.replace(/^-/, "") === sort;
    button.append(element("small", sorted ? (state.sort.startsWith("-") ? " ▼" : " ▲") : ""));
    button.addEventListener("click", () => sortBy(sort));
    cell.append(button);
    return cell;
  }));
}
