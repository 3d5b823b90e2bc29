// Numbers and names as an astronomer writes them.
const DIGITS = {
  theta_E: 2, q: 2, ra: 5, dec: 5, p_lens: 3, source_snr: 1, position_angle_deg: 0, position_angle_error_deg: 0,
  grade_mean: 2, graders: 0, e1: 3, e2: 3,
};
export const NAMES = {
  p_lens: "p_lens", theta_E: "θ_E", position_angle_deg: "φ", source_snr: "source S/N",
};
const SUBSCRIPT = /^(p|θ)_(lens|E)$/;

export const element = (name, text = "", kind = "") => {
  const node = document.createElement(name);
  node.textContent = text;
  if (kind) node.className = kind;
  return node;
};

// A column's name as text of `node`, with its subscript.
export function named(node, column) {
  const title = NAMES[column] ?? column;
  const [, letter, below] = title.match(SUBSCRIPT) ?? [null, title, ""];
  node.append(letter, ...(below ? [element("sub", below)] : []));
  return node;
}

export const spaced = (name) => name.replace("_", " ");

export function value(name, given) {
  if (given === null || given === undefined || given === "") return "–";
  if (typeof given !== "number") return String(given);
  if (name === "p_lens") return probability(given);
  return number(given, DIGITS[name] ?? sensible(given));
}

// Never 0 or 1: a network is not that sure.
export function probability(p) {
  if (p > 0.9995) return "> 0.999";
  return p < 0.0005 ? "< 0.001" : p.toFixed(3);
}

export const number = (given, digits) => given.toFixed(digits).replace("-", "−");

function sensible(given) {
  if (Number.isInteger(given)) return 0;
  const size = Math.abs(given);
  return size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : 3;
}

// "1.23 +0.05 −0.04", where there is an interval.
export function interval(object, name) {
  const [middle, low, high] = ["", "_16", "_84"].map((end) => object[`${name}${end}`]);
  if (![middle, low, high].every((each) => typeof each === "number")) return "";
  const up = Math.max(high - middle, 0).toFixed(2), down = Math.max(middle - low, 0).toFixed(2);
  return `${number(middle, 2)} +${up} −${down}`;
}

export function angle({ position_angle_deg: phi, position_angle_error_deg: error }) {
  if (typeof phi !== "number") return "";
  return typeof error === "number" ? `${number(phi, 0)} ± ${number(error, 0)}` : number(phi, 0);
}
