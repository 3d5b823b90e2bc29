// A scrolled grid of any length: only the cells in sight exist.
const AHEAD = 1; // screens above and below that are ready
const IDLE = 60; // ms without scrolling before pictures are fetched

export class Grid {
  // `cells`: { size(): {width, height, gap}, create(): node, update(node, place), settle(node) }
  constructor(scroller, space, cells) {
    Object.assign(this, { scroller, space, cells, total: 0, cursor: 0 });
    this.nodes = new Map();
    this.free = [];
    scroller.addEventListener("scroll", () => this.later(), { passive: true });
    new ResizeObserver(() => this.later(true)).observe(scroller);
  }

  // Before the next frame: the cells that scrolled in, or all of them where they `changed`.
  later(changed = false) {
    this.changed ||= changed;
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      if (this.changed) this.draw();
      else this.follow();
    });
  }

  // Every cell anew, for instance after another kind of cell was chosen.
  reset(total, cells = this.cells) {
    for (const node of [...this.nodes.values(), ...this.free]) node.remove();
    Object.assign(this, { total, cells, free: [] });
    this.nodes.clear();
    this.draw();
  }

  // What a scrolled frame does not ask for again: it would be laid out anew each time.
  measure() {
    const { width, height, gap } = this.cells.size();
    const inside = this.space.clientWidth;
    this.columns = Math.max(1, Math.floor((inside + gap) / (width + gap)));
    this.width = (inside + gap) / this.columns - gap;
    this.height = height(this.width);
    this.gap = gap;
    this.step = this.height + gap;
    this.space.style.height = `${Math.ceil(this.total / this.columns) * this.step}px`;
    this.screen = this.scroller.clientHeight;
    this.above = this.space.offsetTop;
  }

  // All cells in sight, as they are now.
  draw() {
    this.changed = false;
    if (!this.scroller.clientHeight) return;
    this.measure();
    const range = this.range();
    this.keepOnly(range);
    this.nodes.forEach((node, place) => this.show(node, place));
    this.fill(range);
    this.scroller.setAttribute("aria-activedescendant", `place-${this.cursor}`);
  }

  // Those that come into sight; the others stay as they are.
  follow() {
    if (!this.screen) return;
    const range = this.range(false);
    this.keepOnly(range);
    this.fill(range);
  }

  // First place and end: what a fast scroll jumps over gets nothing ready beyond what is seen.
  range(still = true) {
    const top = this.scroller.scrollTop - this.above;
    const jumped = !still && Math.abs(top - this.top) > this.screen;
    const margin = jumped ? 0 : AHEAD * this.screen;
    this.top = top;
    const first = Math.max(0, Math.floor((top - margin) / this.step)) * this.columns;
    const end = Math.ceil((top + this.screen + margin) / this.step) * this.columns;
    return [first, Math.min(this.total, end)];
  }

  // Nodes where there are none, and pictures once the list stands still.
  fill(range) {
    this.ready(range);
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.settle(), IDLE);
  }

  ready([first, end]) {
    for (let place = first; place < end; place++) {
      if (!this.nodes.has(place)) this.show(this.free.pop() ?? this.add(), place);
    }
    for (const node of this.free) if (!node.hidden) node.hidden = true;
  }

  settle() {
    const range = this.range();
    this.keepOnly(range);
    this.ready(range);
    this.nodes.forEach((node) => this.cells.settle(node));
  }

  keepOnly([first, end]) {
    for (const [place, node] of this.nodes) {
      if (place >= first && place < end) continue;
      this.nodes.delete(place);
      this.free.push(node);
    }
  }

  show(node, place) {
    this.nodes.set(place, node);
    const x = (place % this.columns) * (this.width + this.gap);
    node.hidden = false;
    node.id = `place-${place}`;
    node.style.width = `${this.width}px`;
    node.style.height = `${this.height}px`;
    node.style.transform = `translate(${x}px, ${Math.floor(place / this.columns) * this.step}px)`;
    node.classList.toggle("cursor", place === this.cursor);
    node.setAttribute("aria-selected", place === this.cursor);
    node.setAttribute("aria-posinset", place + 1);
    node.setAttribute("aria-setsize", this.total);
    this.cells.update(node, place);
  }

  add() {
    const node = this.cells.create();
    node.setAttribute("role", "option");
    this.space.append(node);
    return node;
  }

  // The cursor at `place`, in sight.
  move(place) {
    this.cursor = Math.max(0, Math.min(this.total - 1, place));
    this.measure();
    const top = Math.floor(this.cursor / this.columns) * this.step;
    const sticky = this.space.offsetTop;
    const seen = this.scroller.scrollTop;
    const most = this.scroller.clientHeight - sticky - this.step;
    if (top < seen) this.scroller.scrollTop = top;
    else if (top > seen + most) this.scroller.scrollTop = top - most;
    this.draw();
  }

  pageRows() {
    return Math.max(1, Math.floor(this.scroller.clientHeight / this.step) - 1) * this.columns;
  }
}
