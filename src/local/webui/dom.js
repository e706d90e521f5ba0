// Nodes of the page. What comes from the cluster only ever becomes text or an attribute of a fixed name: nothing is
// parsed from strings.

import { absolute, relative } from "./clock.js";

/** Makes an element; what is no node among its children becomes text. */
export function node(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== null));
  return made;
}

/** Sets an attribute that has another value, or removes it. */
export function attribute(element, name, value) {
  if (value === undefined || value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

/** Sets the text of an element that shows text only. Text that is the same stays, and so does a selection in it. */
export function write(element, text) {
  const value = String(text ?? "");
  if (!(element.firstChild instanceof Text)) element.replaceChildren(value);
  else if (element.firstChild.data !== value) element.firstChild.data = value;
}

/** The address of a framework's own page, if it is one: nothing but HTTP is followed. */
export function webAddress(text) {
  try {
    const url = new URL(text);
    return ["http:", "https:"].includes(url.protocol) ? url.href : undefined;
  } catch {
    return undefined;
  }
}

const part = encodeURIComponent;
export const hashes = {
  framework: (id) => `#/frameworks/${part(id)}`,
  task: (task) => `#/frameworks/${part(task.framework)}/tasks/${part(task.id)}`,
  agent: (id) => `#/agents/${part(id)}`,
  browse: (agent, path) => `#/agents/${part(agent)}/browse?path=${part(path)}`,
  file: (agent, path) => `#/agents/${part(agent)}/file?path=${part(path)}`,
};

/** The address of a file's contents. */
export const download = (path) => `files/download?path=${part(path)}`;

/** An element that shows a time, from now. `tick` keeps it right. */
export class Time {
  constructor() {
    this.element = node("time");
    this.element.owner = this;
  }

  set(seconds) {
    if (this.seconds !== seconds) {
      this.seconds = seconds;
      const is = Number.isFinite(seconds) && seconds > 0;
      attribute(this.element, "datetime", is ? new Date(seconds * 1000).toISOString() : undefined);
      attribute(this.element, "title", is ? absolute(seconds) : undefined);
    }
    this.tick();
  }

  tick() {
    write(this.element, this.element.hasAttribute("datetime") ? relative(this.seconds) : "");
  }
}

/** Makes the times that are shown follow the clock. */
export function tick() {
  for (const element of document.querySelectorAll("time")) element.owner?.tick();
}

// What a cell, or a value in a list of details, shows: each is given an element, and returns what updates it.

export const text = (get) => (element) => (row) => {
  write(element, get(row));
  attribute(element, "title", get(row) || undefined);
};

export const time = (get) => (element) => {
  const shown = new Time();
  element.append(shown.element);
  return (row) => shown.set(get(row));
};

/** A link; if there is no address, its text alone. */
export const link = (get, address, attributes = {}) => (element) => {
  const anchor = node("a", attributes);
  element.append(anchor);
  return (row) => {
    write(anchor, get(row));
    attribute(anchor, "href", address(row));
    attribute(element, "title", get(row) || undefined);
  };
};

/** A link to a page of others, which opens in a tab of its own; `short` makes its text of the address. */
export const external = (get, short = (address) => address) =>
  link((row) => (webAddress(get(row)) ? short(get(row)) : ""), (row) => webAddress(get(row)), { target: "_blank", rel: "noopener noreferrer" });

const GOOD = new Set(["TASK_RUNNING", "TASK_FINISHED", "active", "healthy", "UP"]);
const BAD = new Set(["TASK_FAILED", "TASK_LOST", "TASK_ERROR", "TASK_DROPPED", "TASK_GONE", "TASK_GONE_BY_OPERATOR",
  "TASK_UNREACHABLE", "unhealthy", "DOWN"]);

/** The name of a state, in its colour. */
export const state = (get) => (element) => {
  const chip = node("span");
  element.append(chip);
  return (row) => {
    const name = get(row) ?? "";
    attribute(chip, "class", `state ${GOOD.has(name) ? "good" : BAD.has(name) ? "bad" : ""}`);
    write(chip, name);
  };
};

/** A bar of what is used and offered of a total, with the numbers as text. */
export const bar = (get, format) => (element) => {
  const used = node("span", { class: "used" });
  const offered = node("span", { class: "offered" });
  const label = node("span", { class: "amount" });
  element.append(label, node("span", { class: "bar", "aria-hidden": "true" }, used, offered));
  return (row) => {
    const amounts = get(row);
    const share = (amount) => `${amounts.total > 0 ? Math.min(100, (100 * amount) / amounts.total).toFixed(1) : 0}%`;
    used.style.width = share(amounts.used);
    offered.style.width = share(amounts.offered);
    write(label, `${format(amounts.used)} of ${format(amounts.total)}`);
    const others = amounts.offered > 0 ? `, ${format(amounts.offered)} offered` : "";
    attribute(element, "title", `${format(amounts.used)} used${others}, ${format(amounts.total)} in all`);
  };
};

/** A list of names and values; those without a value are hidden. */
export class Details {
  constructor(entries) {
    this.element = node("dl");
    this.entries = entries.map(([name, cell, has = () => true]) => {
      const [term, value] = [node("dt", {}, name), node("dd")];
      this.element.append(term, value);
      return { term, value, has, update: cell(value) };
    });
  }

  update(row) {
    for (const { term, value, has, update } of this.entries) {
      term.hidden = value.hidden = !has(row);
      if (has(row)) update(row);
    }
  }
}
