// Tables that sort by a click on a heading and have a field to find rows. Rows are kept as long as they are shown, and
// only cells whose value changes are written, so that a selection and the focus stay. Of a long table only the rows
// that are in view, and some around them, are in the document.

import { attribute, node, write } from "./dom.js";
import { amount } from "./format.js";

const OVERSCAN = 15;
/** As many rows are always in the document. */
const WHOLE = 60;
/** In a table of fewer rows nothing has to be looked for. */
const FEW = 6;
const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
/** How tables are sorted and what is looked for in them, for when their page is opened again. */
const remembered = new Map();

const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : collator.compare(String(a ?? ""), String(b ?? "")));

export class Table {
  /**
   * `columns` are `{ title, cell, value, text, kind, wide, optional }`: `value(row)` is what is sorted by and, unless there is
   * `text(row)`, what is found; those that are `wide` are left out on narrow screens, and those
   * that are `optional` if no row has a value. `sort` is the title of a column,
   * with a minus in front if the largest come first. `empty` is shown if there are no rows.
   */
  constructor({ name, title, columns, key, empty, sort }) {
    Object.assign(this, { name, columns, key, title });
    const kept = remembered.get(name) ?? { sort, wanted: "" };
    remembered.set(name, kept);
    this.kept = kept;
    [this.order, this.elements] = [[], new Map()];
    this.#make(empty);
  }

  #make(empty) {
    this.count = node("span", { class: "count" });
    this.find = node("input", { type: "search", placeholder: "Find", "aria-label": `Find in ${this.title}`, autocomplete: "off", spellcheck: "false" });
    this.find.value = this.kept.wanted;
    this.find.addEventListener("input", () => { this.kept.wanted = this.find.value; this.update(this.all); });
    this.heads = this.columns.map((column) => this.#head(column));
    this.cols = this.columns.map(({ kind, wide }) => node("col", { class: classes(kind, wide) }));
    this.absent = this.columns.map(() => false);
    [this.above, this.below] = [spacer(this.columns.length), spacer(this.columns.length)];
    this.body = node("tbody");
    const label = `${this.name.replace(/\W/g, "-")}-title`;
    this.table = node("table", { "aria-labelledby": label }, node("colgroup", {}, ...this.cols),
      node("thead", {}, node("tr", { "aria-rowindex": "1" }, ...this.heads)), this.above, this.body, this.below);
    this.empty = node("div", { class: "empty" }, empty);
    this.none = node("p", { class: "empty" }, "No row matches.");
    const heading = node("h2", { id: label }, this.title);
    this.element = node("section", { "aria-labelledby": label },
      node("div", { class: "bar-of-table" }, heading, this.count, this.find), this.table, this.none, this.empty);
    this.element.table = this;
  }

  #head({ title, kind, wide }) {
    const button = node("button", { type: "button" }, title);
    button.addEventListener("click", () => {
      const descending = this.kept.sort === title || (kind?.includes("number") && this.kept.sort !== `-${title}`);
      this.kept.sort = descending ? `-${title}` : title;
      this.update(this.all);
    });
    return node("th", { scope: "col", class: classes(kind, wide) }, button);
  }

  /** Shows these rows, of which each has a key of its own. */
  update(rows) {
    this.all = rows;
    const wanted = this.kept.wanted.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const found = wanted.length ? rows.filter((row) => this.#matches(row, wanted)) : [...rows];
    this.#sort(found);
    this.order = found;
    const has = (element, is) => { element.hidden = !is; };
    has(this.table, found.length > 0);
    has(this.find, rows.length >= FEW || wanted.length > 0);
    has(this.none, rows.length > 0 && found.length === 0);
    has(this.empty, rows.length === 0);
    write(this.count, rows.length === 0 ? "" : wanted.length ? `${amount(found.length)} of ${amount(rows.length)}` : amount(rows.length));
    attribute(this.table, "aria-rowcount", found.length + 1);
    this.#leaveOut(rows);
    this.draw(true);
  }

  #leaveOut(rows) {
    this.columns.forEach(({ optional, value }, index) => {
      const absent = Boolean(optional) && !rows.some(value);
      if (absent === this.absent[index]) return;
      this.absent[index] = absent;
      const cells = [...this.elements.values()].map(({ element }) => element.children[index]);
      for (const each of [this.cols[index], this.heads[index], ...cells]) each.hidden = absent;
    });
    // One that spans more columns than there are makes room for another.
    const shown = this.absent.filter((absent) => !absent).length;
    for (const space of [this.above, this.below]) space.querySelector("td").colSpan = shown;
  }

  #matches(row, wanted) {
    const text = this.columns.map((column) => (column.text ?? column.value)(row) ?? "").join("\n").toLowerCase();
    return wanted.every((word) => text.includes(word));
  }

  #sort(rows) {
    const descending = this.kept.sort.startsWith("-");
    const title = descending ? this.kept.sort.slice(1) : this.kept.sort;
    this.columns.forEach((column, index) => {
      const order = column.title !== title ? undefined : descending ? "descending" : "ascending";
      attribute(this.heads[index], "aria-sort", order);
    });
    const { value } = this.columns.find((column) => column.title === title);
    const sign = descending ? -1 : 1;
    const values = new Map(rows.map((row) => [row, value(row)]));
    rows.sort((a, b) => sign * compare(values.get(a), values.get(b)));
  }

  /** The height of a row: all have the same. */
  get height() {
    const first = this.body.firstElementChild;
    if (first) this.measured = first.getBoundingClientRect().height || this.measured;
    return this.measured || 36;
  }

  /** Where the first row is, or would be, in the window. */
  get top() {
    return this.table.tHead.getBoundingClientRect().bottom;
  }

  /** The first and the last of the rows that are to be in the document. */
  #range() {
    const length = this.order.length;
    if (length <= WHOLE) return [0, length];
    const first = Math.floor(-this.top / this.height) - OVERSCAN;
    const shown = Math.ceil(innerHeight / this.height) + 2 * OVERSCAN;
    const from = Math.max(0, Math.min(first, length - shown));
    return [from, Math.min(length, from + shown)];
  }

  /** Puts the rows that are in view into the document; those that are there are written anew if `all` is set. */
  draw(all = false) {
    const [from, to] = this.#range();
    if (!all && from === this.from && to === this.to) return;
    [this.from, this.to] = [from, to];
    const rows = this.order.slice(from, to);
    const keys = new Set(rows.map(this.key));
    for (const [key, { element }] of this.elements) {
      if (!keys.has(key)) {
        element.remove();
        this.elements.delete(key);
      }
    }
    let place = this.body.firstElementChild;
    rows.forEach((row, index) => {
      const { element, update } = this.#row(this.key(row));
      update(row);
      attribute(element, "aria-rowindex", from + index + 2);
      if (element === place) place = place.nextElementSibling;
      else this.#put(element, place);
    });
    this.#space(this.above, from);
    this.#space(this.below, this.order.length - to);
  }

  #put(element, place) {
    // Moved like this, an element keeps the focus.
    if (element.isConnected && this.body.moveBefore) this.body.moveBefore(element, place);
    else this.body.insertBefore(element, place);
  }

  #row(key) {
    const known = this.elements.get(key);
    if (known) return known;
    const cells = this.columns.map(({ kind, wide }) => node("td", { class: classes(kind, wide) }));
    cells.forEach((cell, index) => { cell.hidden = this.absent[index]; });
    const updates = this.columns.map(({ cell }, index) => cell(cells[index]));
    const made = { element: node("tr", {}, ...cells), update: (row) => updates.forEach((update) => update(row)) };
    this.elements.set(key, made);
    return made;
  }

  #space(body, rows) {
    body.hidden = rows === 0;
    const height = `${rows * this.height}px`;
    if (body.style.height !== height) {
      body.style.height = height;
      body.firstElementChild.firstElementChild.style.height = height;
    }
  }

  /** The row at the upper edge of the window, if rows of this table are above it. */
  anchor() {
    const { top } = this;
    const index = Math.floor(-top / this.height) + 1;
    if (top >= 0 || this.table.hidden || index >= this.order.length) return null;
    return { table: this, key: this.key(this.order[index]), place: top + index * this.height };
  }

  /** How far a row has moved. */
  moved({ key, place }) {
    const index = this.order.findIndex((row) => this.key(row) === key);
    return index < 0 ? 0 : this.top + index * this.height - place;
  }
}

const classes = (kind, wide) => [kind, wide ? "wide" : ""].filter(Boolean).join(" ") || undefined;

const spacer = (columns) => node("tbody", { class: "space", "aria-hidden": "true", hidden: "" }, node("tr", {}, node("td", { colspan: columns })));

const tables = () => [...document.querySelectorAll("section")].map((section) => section.table).filter(Boolean);

/** Changes tables; what is at the upper edge of the window stays there, if rows come or go above it. */
export function inPlace(change) {
  const anchor = tables().map((table) => table.anchor()).filter(Boolean).at(-1);
  change();
  const moved = anchor?.table.element.isConnected ? anchor.table.moved(anchor) : 0;
  if (Math.abs(moved) >= 1) {
    scrollBy({ top: moved, behavior: "instant" });
    for (const table of tables()) table.draw();
  }
}

let drawing = false;
function drawSoon() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    for (const table of tables()) table.draw();
  });
}
addEventListener("scroll", drawSoon, { passive: true });
addEventListener("resize", drawSoon, { passive: true });
