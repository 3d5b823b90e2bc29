// One candidate: its five images, its curves over them, and what is known about it.
import { element, interval, named, spaced, value } from "./format.js";
import { imageAddress, state } from "./state.js";

const SVG = "http://www.w3.org/2000/svg";
const BARS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60]; // arcsec
const KNOWN_TO_THE_BLIND = ["id", "source", "ra", "dec", "pixel_scale", "my_grade", "my_note"];
const SKIPPED = /_(16|84|error|error_deg)$|^(picture|id|my_grade|my_note)$/;
const ERRORS = { position_angle_deg: "position_angle_error_deg" };
const parts = (name) => document.getElementById(name);

export function makePanels(panels, choose) {
  parts("panels").replaceChildren(...panels.map((panel, number) => {
    const figure = element("figure");
    const image = element("img");
    image.alt = `${spaced(panel)} image`;
    image.addEventListener("error", () => figure.classList.add("none"));
    image.addEventListener("load", () => figure.classList.remove("none"));
    const caption = element("figcaption");
    const button = element("button", spaced(panel));
    button.type = "button";
    button.append(element("kbd", String(number + 1)));
    button.addEventListener("click", () => choose(panel));
    caption.append(button);
    figure.dataset.panel = panel;
    figure.append(caption, image, document.createElementNS(SVG, "svg"));
    return figure;
  }));
}

export function showSingle(object, found, columns) {
  parts("name").textContent = object.id;
  const place = found.place === null ? "not among those filtered" : `${found.place + 1} of ${found.total}`;
  parts("place").textContent = place;
  parts("curves").checked = state.curves === "1";
  showGrade(object);
  showValues(object, columns);
  showPanels(object, found);
}

export function showGrade(object) {
  for (const button of parts("buttons").children) {
    button.setAttribute("aria-pressed", button.value === (object.my_grade ?? ""));
  }
  const note = parts("note");
  if (document.activeElement !== note) note.value = object.my_note ?? "";
  note.dataset.key = object.key;
}

export function showPanels(object, found) {
  const [height, width] = found.shape ?? [1, 1];
  parts("panels").style.setProperty("--aspect", width / height);
  for (const figure of parts("panels").children) {
    const { panel } = figure.dataset;
    const image = figure.querySelector("img");
    const wanted = imageAddress(object.key, panel);
    if (image.getAttribute("src") !== wanted) image.src = wanted;
    figure.classList.toggle("large", panel === state.panel);
    draw(figure.querySelector("svg"), found, object.pixel_scale, panel === state.panel);
  }
}

// The curves and a scale bar, in arcsec about the stamp's centre, y up.
function draw(svg, { shape, curves }, scale, large) {
  svg.replaceChildren();
  if (!shape || !scale) return;
  const [height, width] = shape.map((pixels) => pixels * scale);
  svg.setAttribute("viewBox", `${-width / 2} ${-height / 2} ${width} ${height}`);
  if (curves && state.curves === "1" && !state.blind) {
    add(svg, "path", { class: "band", d: path(curves.outer) + path(curves.inner) });
    add(svg, "path", { class: "halo", d: path(curves.median) });
    add(svg, "path", { class: "median", d: path(curves.median) });
  }
  if (large) scaleBar(svg, width, height);
}

const path = (points) => `M${points.map(([x, y]) => `${x} ${-y}`).join("L")}Z`;

function scaleBar(svg, width, height) {
  const length = BARS.findLast((bar) => bar < width / 3) ?? BARS[0];
  const x = -0.46 * width, y = 0.46 * height;
  add(svg, "path", { class: "bar", d: `M${x} ${y}h${length}` });
  const words = add(svg, "text", { x, y: y - 0.015 * height, "font-size": 0.035 * height });
  words.textContent = `${length}″`;
}

function add(svg, name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, given] of Object.entries(attributes)) node.setAttribute(key, given);
  svg.append(node);
  return node;
}

function showValues(object, columns) {
  const told = ({ name }) => !SKIPPED.test(name) && (!state.blind || KNOWN_TO_THE_BLIND.includes(name));
  parts("values").replaceChildren(...columns.filter(told).map((column) => line(column, object)));
}

function line({ name, unit, meaning }, object) {
  const row = element("tr");
  const title = named(element("th"), name);
  title.scope = "row";
  title.title = meaning;
  if (unit) title.append(element("small", ` ${unit}`));
  row.append(title, element("td", withError(object, name)));
  return row;
}

function withError(object, name) {
  const error = object[ERRORS[name] ?? `${name}_error`];
  const words = interval(object, name) || value(name, object[name]);
  return typeof error === "number" ? `${words} ± ${value(name, error)}` : words;
}
