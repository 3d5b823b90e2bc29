// The form above the list: it shows the state, and changes it.
import { element, spaced } from "./format.js";
import { state, write } from "./state.js";

const form = document.getElementById("controls");
const LOOK = ["panel", "band", "stretch", "brightness", "size", "blind"];

export function fillControls({ columns, panels, bands, stretches, graders }) {
  options(form.elements.sort, [...columns.map(({ name }) => name), "key"], { key: "random" });
  options(form.elements.panel, panels, Object.fromEntries(panels.map((panel) => [panel, spaced(panel)])));
  options(form.elements.band, bands);
  options(form.elements.stretch, stretches);
  const names = graders.map((name) => Object.assign(element("option"), { value: name }));
  document.getElementById("graders").replaceChildren(...names);
}

function options(select, names, titles = {}) {
  select.replaceChildren(...names.map((name) => new Option(titles[name] ?? name, name)));
}

export function showControls() {
  const { elements } = form;
  for (const name of ["where", "panel", "band", "stretch", "size", "grader", "repeats"]) {
    if (document.activeElement !== elements[name]) elements[name].value = state[name];
  }
  elements.sort.value = state.sort.replace(/^-/, "");
  elements.order.value = state.sort.startsWith("-") ? "-" : "";
  elements.brightness.value = String(Math.round(-2 * Math.log2(Number(state.white) || 1)));
  elements.blind.checked = Boolean(state.blind);
}

// `relist`: other objects, or another order. `relook`: the same in another look.
export function listenToControls(relist, relook) {
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", ({ target }) => {
    const look = LOOK.includes(target.name);
    write(look ? looks() : { ...wishes(), n: "0" });
    (look ? relook : relist)();
  });
  form.elements.brightness.addEventListener("input", () => {
    write(looks());
    relook();
  });
}

function looks() {
  const { panel, band, stretch, size, blind, brightness } = form.elements;
  return {
    panel: panel.value, band: band.value, stretch: stretch.value, size: size.value,
    blind: blind.checked ? "1" : "", white: whiteOf(Number(brightness.value)),
  };
}

function wishes() {
  const { where, sort, order, grader, repeats } = form.elements;
  return {
    where: where.value.trim(), sort: order.value + sort.value, repeats: repeats.value,
    grader: grader.value.trim() || "me",
  };
}

const whiteOf = (steps) => String(Number((2 ** (-steps / 2)).toPrecision(4)));

// One step of a choice: the next band, a brighter picture.
export function step(name, by) {
  const field = form.elements[name];
  if (name === "brightness") field.value = Number(field.value) + by;
  else field.selectedIndex = (field.selectedIndex + by + field.length) % field.length;
  field.dispatchEvent(new Event("change", { bubbles: true }));
}

export const focusFilter = () => form.elements.where.select();
