// Asks the server, and does not rest before it has every mark.
const RETRY = 2000;
const waiting = [];
let sending = false;
let announce = () => {};
let storage = "";

export async function ask(address) {
  const answer = await fetch(address, { headers: { accept: "application/json" } });
  const body = await answer.json().catch(() => ({ error: `the board answered ${answer.status}` }));
  if (!answer.ok) throw new Error(body.error ?? `the board answered ${answer.status}`);
  return body;
}

// `report(count, revision, problem)`: marks on their way, and what the server said last.
// Marks that a reload would lose are kept in this tab, for the run they belong to.
export function startSending(run, report) {
  announce = report;
  storage = `marks of ${run}`;
  waiting.push(...JSON.parse(sessionStorage.getItem(storage) ?? "[]"));
  send();
}

export function keepMark(key, mark) {
  waiting.push({ key, mark: { ...mark, uuid: newName() } });
  remember();
  send();
}

// Not by randomUUID, which browsers keep from pages that come from another machine over http.
function newName() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function send() {
  if (sending) return;
  sending = true;
  while (waiting.length) {
    const answer = await post(waiting[0]);
    if (answer.again) {
      announce(waiting.length, null, "");
      await new Promise((done) => setTimeout(done, RETRY));
      continue;
    }
    waiting.shift();
    remember();
    announce(0, answer.revision ?? null, answer.error ?? "");
  }
  sending = false;
}

async function post({ key, mark }) {
  const headers = { "content-type": "application/json" };
  const options = { method: "POST", headers, body: JSON.stringify(mark) };
  try {
    const answer = await fetch(`/objects/${encodeURIComponent(key)}/marks`, options);
    if (answer.status >= 500 || answer.status === 403) return { again: true };
    return await answer.json();
  } catch {
    return { again: true };
  }
}

function remember() {
  sessionStorage.setItem(storage, JSON.stringify(waiting));
}
