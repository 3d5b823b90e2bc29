// The state of the page is its address: what is shown, how, to whom, and where one is.
export const DEFAULTS = {
  view: "mosaic", where: "", sort: "-p_lens", panel: "input", band: "colour", stretch: "asinh",
  white: "1", size: "m", grader: "me", repeats: "0", blind: "", curves: "1", n: "0",
};
const LISTED = ["where", "sort", "grader", "repeats"];
const LOOK = ["band", "stretch", "white"];

export const state = { ...DEFAULTS, key: "" };

export function read() {
  const asked = new URLSearchParams(location.search);
  for (const name of Object.keys(DEFAULTS)) state[name] = asked.get(name) ?? DEFAULTS[name];
  const [, , key] = location.pathname.split("/");
  state.key = key ? decodeURIComponent(key) : "";
}

// `changes` into the address; `push`: as a step that the back button undoes.
export function write(changes, push = false) {
  Object.assign(state, changes);
  history[push ? "pushState" : "replaceState"](null, "", address());
}

export function address(changes = {}) {
  const wanted = { ...state, ...changes };
  const path = wanted.key ? `/objects/${encodeURIComponent(wanted.key)}` : "/objects";
  return withQuery(path, pick(Object.keys(DEFAULTS), wanted));
}

// The part of the state that says which objects are listed, for the server.
export const listed = () => pick(LISTED, state);

export function imageAddress(key, panel) {
  return withQuery(`/objects/${encodeURIComponent(key)}/${panel}.png`, pick(LOOK, state));
}

export function withQuery(path, pairs) {
  const text = new URLSearchParams(pairs).toString();
  return text ? `${path}?${text}` : path;
}

function pick(names, from) {
  const changed = names.filter((name) => String(from[name]) !== DEFAULTS[name]);
  return changed.map((name) => [name, from[name]]);
}
