"use strict";
// Sorts and filters the gallery; the state lives in the page's address.
const form = document.getElementById("controls");
const gallery = document.getElementById("gallery");

function compare(key, ascending) {
  const sign = ascending ? 1 : -1;
  return (one, other) => {
    const [a, b] = [one, other].map((card) => card.dataset[key.toLowerCase()]);
    if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
    const order = key === "id" ? a.localeCompare(b, "en", { numeric: true }) : a - b;
    return sign * order;
  };
}

function show() {
  const state = form.elements;
  const wanted = state.text.value.trim().toLowerCase();
  const least = Number(state.minimum.value);
  const cards = [...gallery.children].sort(compare(state.sort.value, state.ascending.checked));
  for (const card of cards) {
    const likely = least === 0 || Number(card.dataset.p_lens) >= least;
    card.hidden = !likely || !card.dataset.text.includes(wanted);
  }
  gallery.append(...cards);
  const count = cards.filter((card) => !card.hidden).length;
  state.shown.value = least.toFixed(2);
  state.count.value = `${count} of ${cards.length}`;
  document.getElementById("empty").hidden = count > 0;
}

function remember() {
  const state = new URLSearchParams(new FormData(form));
  history.replaceState(null, "", "#" + state);
}

function recall() {
  const state = new URLSearchParams(location.hash.slice(1));
  form.reset();
  for (const name of ["sort", "minimum", "text"]) {
    if (state.has(name)) form.elements[name].value = state.get(name);
  }
  if (form.elements.sort.selectedIndex < 0) form.elements.sort.selectedIndex = 0;
  form.elements.ascending.checked = state.has("ascending");
  show();
}

// "/" goes to the filter; the arrow keys go from card to card.
function key(event) {
  if (event.target.closest("input, select")) return;
  if (event.key === "/") {
    event.preventDefault();
    form.elements.text.focus();
  }
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const cards = [...gallery.children].filter((card) => !card.hidden);
  const place = cards.indexOf(document.activeElement);
  if (step && place >= 0) cards[place + step]?.focus();
}

if (form) {
  form.hidden = false;
  form.addEventListener("input", () => { show(); remember(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", recall);
  addEventListener("keydown", key);
  recall();
}
