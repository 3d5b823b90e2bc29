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
    new ResizeObserver(() => this.later()).observe(scroller);
  }

  later() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.draw();
    });
  }

  // Every cell anew, for instance after another kind of cell was chosen.
  reset(total, cells = this.cells) {
    for (const node of [...this.nodes.values(), ...this.free]) node.remove();
    Object.assign(this, { total, cells, free: [] });
    this.nodes.clear();
    this.draw();
  }

  measure() {
    const { width, height, gap } = this.cells.size();
    const inside = this.space.clientWidth;
    this.columns = Math.max(1, Math.floor((inside + gap) / (width + gap)));
    this.width = (inside + gap) / this.columns - gap;
    this.height = height(this.width);
    this.gap = gap;
    this.step = this.height + gap;
    this.space.style.height = `${Math.ceil(this.total / this.columns) * this.step}px`;
  }

  draw() {
    if (!this.scroller.clientHeight) return;
    this.measure();
    const top = this.scroller.scrollTop - this.space.offsetTop;
    const margin = AHEAD * this.scroller.clientHeight;
    const first = Math.max(0, Math.floor((top - margin) / this.step)) * this.columns;
    const end = Math.ceil((top + this.scroller.clientHeight + margin) / this.step) * this.columns;
    this.keepOnly(first, Math.min(this.total, end));
    for (let place = first; place < Math.min(this.total, end); place++) this.show(place);
    this.scroller.setAttribute("aria-activedescendant", `place-${this.cursor}`);
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.nodes.forEach((node) => this.cells.settle(node)), IDLE);
  }

  keepOnly(first, end) {
    for (const [place, node] of this.nodes) {
      if (place >= first && place < end) continue;
      this.nodes.delete(place);
      this.free.push(node);
      node.hidden = true;
    }
  }

  show(place) {
    const node = this.nodes.get(place) ?? this.free.pop() ?? this.add();
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
