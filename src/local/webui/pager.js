// A file of a sandbox: shows its end and follows it, as `tail -f` does; earlier parts are read on request.

import { download, node, write } from "./dom.js";
import { read, Refused } from "./feed.js";
import * as format from "./format.js";

const PART = 65536;
/** So much text is kept in the document. */
const KEPT = 16 * PART;
const QUICK_MS = 500;
const SLOW_MS = 5000;
const CUT = "\uFFFD";

const part = (path, offset, length) => `files/read?path=${encodeURIComponent(path)}&offset=${offset}&length=${length}`;

/** Reads `from` up to `to`, in bytes; as a character may lie across either, up to three bytes less or more. */
async function readText(path, from, to) {
  const get = async (begin, end) => (await read(part(path, begin, end - begin))).data;
  let [begin, end] = [from, to];
  let text = await get(begin, end);
  // What is only the beginning of a character waits for its rest.
  for (let tries = 0; tries < 3 && text.endsWith(CUT); tries += 1) {
    const shorter = end - 1 > begin ? await get(begin, end - 1) : "";
    [end, text] = [end - 1, shorter];
  }
  if (text.endsWith(CUT)) [end, text] = [to, await get(begin, to)];
  for (let tries = 0; tries < 3 && begin > 0 && text.startsWith(CUT); tries += 1) {
    begin += 1;
    text = text.slice(1);
  }
  return { text, begin, end };
}

export class Pager {
  /** Shows the file `name` at `path`. */
  constructor(name, path) {
    this.path = path;
    this.size = node("span", { class: "count" });
    this.follow = node("input", { type: "checkbox", checked: "" });
    this.follow.addEventListener("change", () => { if (this.follow.checked) this.#toEnd(); });
    this.earlier = node("button", { type: "button", hidden: "" }, "Earlier");
    this.earlier.addEventListener("click", () => this.#readEarlier());
    this.text = node("pre", { tabindex: "0", role: "region", "aria-label": name });
    this.text.addEventListener("scroll", () => this.#onScroll(), { passive: true });
    this.note = node("p", { class: "empty" }, "Nothing is written yet.");
    const link = node("a", { href: download(path), download: name }, "Download");
    link.setAttribute("aria-label", `Download ${name}`);
    this.element = node("section", { class: "pager", "aria-label": name },
      node("div", { class: "bar-of-table" }, node("h2", {}, name), this.size, this.earlier, node("label", {}, this.follow, "Follow"), link),
      this.text, this.note);
    this.#restart();
  }

  #restart() {
    [this.begin, this.end, this.delay] = [0, null, QUICK_MS];
    this.text.replaceChildren();
    this.text.hidden = true;
    this.earlier.hidden = true;
  }

  /** Reads what is new, and goes on until the element is no longer shown. */
  async run() {
    while (this.element.isConnected) {
      if (!document.hidden) await this.#readOn();
      await new Promise((done) => {
        this.wake = done;
        setTimeout(done, this.delay);
      });
    }
  }

  /** Something has happened that may have written to the file. */
  poke() {
    if (this.delay > QUICK_MS) {
      this.delay = QUICK_MS;
      this.wake?.();
    }
  }

  async #readOn() {
    try {
      const { offset: size } = await read(part(this.path, -1, 0));
      if (this.end !== null && size < this.end) this.#restart();
      write(this.size, format.bytes(size));
      const from = Math.max(this.end ?? 0, size - PART);
      if (this.end !== null && from > this.end) this.#restart();
      const before = this.end;
      if (size > from) this.#append(await readText(this.path, from, size));
      this.delay = before === this.end ? Math.min(SLOW_MS, this.delay * 1.5) : QUICK_MS;
      write(this.note, "Nothing is written yet.");
    } catch (error) {
      this.delay = Math.min(SLOW_MS, this.delay * 1.5);
      const refused = error instanceof Refused && error.status === 400;
      write(this.note, refused ? "This is not a regular file." : "Nothing is written yet.");
    }
    this.note.hidden = !this.text.hidden;
  }

  #append({ text, begin, end }) {
    if (this.end === null) this.begin = begin;
    this.end = end;
    if (text === "") return;
    this.text.hidden = false;
    this.text.append(text);
    if (this.follow.checked) {
      while (this.text.childNodes.length > 1 && this.#length() > KEPT) this.#drop();
      this.#toEnd();
    }
    this.#mark();
  }

  /** Texts are as long in bytes as they are in UTF-8, if nothing in them was replaced. */
  #drop() {
    const first = this.text.firstChild;
    this.begin += new TextEncoder().encode(first.data).length;
    first.remove();
  }

  #length() {
    return [...this.text.childNodes].reduce((sum, { data }) => sum + data.length, 0);
  }

  #mark() {
    this.earlier.hidden = this.begin === 0;
  }

  async #readEarlier() {
    this.follow.checked = false;
    const { text, begin } = await readText(this.path, Math.max(0, this.begin - PART), this.begin);
    const height = this.text.scrollHeight;
    this.text.prepend(text);
    this.text.scrollTop += this.text.scrollHeight - height;
    this.begin = begin;
    this.#mark();
    if (this.earlier.hidden) this.text.focus();
  }

  #toEnd() {
    this.place = this.text.scrollHeight;
    this.text.scrollTop = this.place;
    this.place = this.text.scrollTop;
  }

  /** Who scrolls up reads, and is not to be taken to the end again. */
  #onScroll() {
    const { scrollTop, scrollHeight, clientHeight } = this.text;
    const atEnd = scrollHeight - clientHeight - scrollTop < 4;
    if (atEnd) this.follow.checked = true;
    else if (scrollTop < (this.place ?? 0) - 4) this.follow.checked = false;
    this.place = scrollTop;
  }
}
