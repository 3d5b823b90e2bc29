// What the keys do, and the list of them.
import { element } from "./format.js";

const HELP = [
  ["← → ↑ ↓, Page, Home, End", "go from candidate to candidate"],
  ["Enter", "look at one; Escape goes back"],
  ["A B C X", "grade, and go on to the next"],
  ["Backspace", "take the grade back"],
  ["N", "the next that you have not graded"],
  ["M", "write a note; Escape leaves it"],
  ["1 … 5", "input, denoised, source, lens light, residual"],
  ["O", "critical curve on and off"],
  ["[ ]", "bands"],
  ["− +", "darker, brighter"],
  ["S", "stretch"],
  ["T", "table or mosaic"],
  ["R", "list anew, with what has come since"],
  ["/", "filter"],
  ["?", "these keys"],
];
const TYPING = "input:not([type=checkbox], [type=range]), textarea";

// `acts`: a function for each key's name; `moves(key)`: for the keys that move.
export function listenToKeys(acts) {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("dialog")) return;
    if (event.target.closest(TYPING)) {
      if (event.key === "Escape") document.getElementById("list").focus();
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const uses = event.target.closest("select, button, a, [type=range], [type=checkbox]");
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (uses && !/^[abcx1-5nmo/?]$/.test(key) && key !== "Escape") return;
    if (event.target.closest("select") && key !== "Escape") return;
    if (acts(key) !== false) event.preventDefault();
  });
}

export function showHelp() {
  const list = document.getElementById("keys");
  list.replaceChildren(...HELP.flatMap(([keys, does]) => [element("dt", keys), element("dd", does)]));
  document.getElementById("help").showModal();
}
