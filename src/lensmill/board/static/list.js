// The objects that the filter lets through, in order, fetched in pages as they are needed.
import { ask } from "./server.js";
import { listed, withQuery } from "./state.js";

const PAGE = 100;
const KEPT_PAGES = 60;
const PAUSE = 50; // ms
const AT_ONCE = 3;
const MOST_WANTED = 8; // as many as the largest window shows

export class List {
  constructor(changed, failed) {
    this.changed = changed;
    this.failed = failed;
    this.wanted = new Set();
    this.asked = 0;
    this.forget();
  }

  forget() {
    this.pages = new Map();
    this.stale = undefined;
    this.total = 0;
    this.pins = [];
    this.era = (this.era ?? 0) + 1;
  }

  // Anew, with the rows and grades that there are now.
  async load() {
    this.forget();
    const era = this.era;
    const page = await this.fetchPage(0);
    if (era !== this.era) return;
    this.total = page.total;
    this.pins = [["rows", page.rows], ["revision", page.revision]];
    this.rows = page.rows;
    this.pages.set(0, page.objects);
  }

  // The same list with what others did since.
  refresh() {
    this.stale = this.pages;
    this.pages = new Map();
    this.changed();
  }

  at(place) {
    if (place < 0 || place >= this.total) return undefined;
    const number = Math.floor(place / PAGE);
    const page = this.pages.get(number);
    if (page === undefined) this.want(number);
    return (page ?? this.stale?.get(number))?.[place % PAGE];
  }

  // After a moment, so that what is scrolled past is not asked for.
  want(number) {
    this.wanted.delete(number);
    this.wanted.add(number);
    this.soon ??= setTimeout(() => {
      this.soon = undefined;
      this.next();
    }, PAUSE);
  }

  // The newest of the wanted pages first, few at once: none waits behind those scrolled past.
  next() {
    const newest = [...this.wanted].slice(-MOST_WANTED);
    while (newest.length && this.asked < AT_ONCE) this.fetch(newest.pop());
    this.wanted = new Set(newest);
  }

  async fetch(number) {
    const { era, pages } = this;
    if (pages.has(number)) return;
    pages.set(number, null);
    if (pages.size > KEPT_PAGES) pages.delete(pages.keys().next().value);
    this.asked++;
    try {
      const page = await this.fetchPage(number);
      if (era !== this.era || pages !== this.pages) return;
      pages.set(number, page.objects);
      this.changed();
    } catch (error) {
      pages.delete(number);
      if (era === this.era) this.failed(error);
    } finally {
      this.asked--;
      this.next();
    }
  }

  fetchPage(number) {
    const range = [["offset", number * PAGE], ["limit", PAGE]];
    return ask(withQuery("/objects.json", [...listed(), ...this.pins, ...range]));
  }

  single(key, place) {
    const address = `/objects/${encodeURIComponent(key)}.json`;
    return ask(withQuery(address, [...listed(), ...this.pins, ["n", place]]));
  }

  nextUngraded(place) {
    const pairs = [...listed(), ...this.pins, ["n", place]];
    return ask(withQuery("/next.json", pairs));
  }
}
