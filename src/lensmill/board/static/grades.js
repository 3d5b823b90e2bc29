// The graders: how much each has done, and how well they agree.
import { element } from "./format.js";
import { ask } from "./server.js";

const part = (name) => document.getElementById(name);
const percent = (share) => (share === null ? "–" : `${Math.round(100 * share)} %`);
const kappa = (given) => (given === null ? "–" : given.toFixed(2).replace("-", "−"));

function table(node, titles, rows) {
  const head = element("tr");
  head.append(...titles.map((title) => element("th", title)));
  node.replaceChildren(head, ...rows.map((cells) => {
    const row = element("tr");
    row.append(...cells.map((cell, number) => element("td", String(cell), number ? "" : "text")));
    return row;
  }));
}

async function show() {
  const { graders, pairs } = await ask("/grades.json");
  const of = ({ grader, graded, A, B, C, X, repeats }) =>
    [grader, graded, A, B, C, X, repeats.objects, percent(repeats.same), kappa(repeats.kappa)];
  table(part("graders"), ["grader", "graded", "A", "B", "C", "X", "seen twice", "same", "κ"], graders.map(of));
  part("two").hidden = !pairs.length;
  const both = ({ graders: names, objects, same, kappa: k }) =>
    [names.join(" and "), objects, percent(same), kappa(k)];
  table(part("pairs"), ["graders", "both graded", "same", "κ"], pairs.map(both));
}

async function write() {
  const answer = await fetch("/catalogue", { method: "POST" });
  const body = await answer.json();
  part("done").textContent = body.error ?? `${body.graded} graded objects in catalogue.parquet`;
}

part("into").addEventListener("click", write);
part("back").href = `/objects${location.search}`;
show().catch((error) => {
  part("problem").textContent = error.message;
  part("problem").hidden = false;
});
