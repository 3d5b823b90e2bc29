// The objects that the filter lets through, in order, fetched in pages as they are needed.
import { ask } from "./server.js";
import { listed, withQuery } from "./state.js";

const PAGE = 100;
const KEPT_PAGES = 60;
const PAUSE = 50; // ms
const AT_ONCE = 4;

export class List {
  constructor(changed, failed) {
    this.changed = changed;
    this.failed = failed;
    this.wanted = new Set();
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

  // Of the pages that were wanted in the last moment, as many as were scrolled past, the newest.
  want(number) {
    this.wanted.delete(number);
    this.wanted.add(number);
    this.soon ??= setTimeout(() => {
      this.soon = undefined;
      for (const each of [...this.wanted].slice(-AT_ONCE)) this.fetch(each);
      this.wanted.clear();
    }, PAUSE);
  }

  async fetch(number) {
    const { era, pages } = this;
    if (pages.has(number)) return;
    pages.set(number, null);
    if (pages.size > KEPT_PAGES) pages.delete(pages.keys().next().value);
    try {
      const page = await this.fetchPage(number);
      if (era !== this.era || pages !== this.pages) return;
      pages.set(number, page.objects);
      this.changed();
    } catch (error) {
      pages.delete(number);
      if (era === this.era) this.failed(error);
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
