// The first page: what there is in all, and all tasks. Other pages have tables of tasks too.

import { bar, Details, hashes, link, node, state, text, time } from "../dom.js";
import { amount, megabytes } from "../format.js";
import { isTerminal } from "../messages.js";
import { Table } from "../table.js";

const FRAMEWORK = (cluster) => ({
  title: "Framework", wide: true,
  value: (t) => cluster.frameworkName(t.framework),
  cell: link((t) => cluster.frameworkName(t.framework), (t) => hashes.framework(t.framework)),
});

/** The columns of a table of tasks, without those that all have in common. */
export function taskColumns(cluster, { framework = true, host = true } = {}) {
  const columns = [
    { title: "Task", kind: "id", value: (t) => t.id, cell: link((t) => t.id, hashes.task) },
    framework && FRAMEWORK(cluster),
    { title: "Name", wide: true, value: (t) => t.name, cell: text((t) => t.name) },
    { title: "Role", wide: true, kind: "short", value: (t) => t.role, cell: text((t) => t.role) },
    { title: "State", kind: "state-column", value: (t) => t.state, cell: state((t) => t.state) },
    { title: "Health", wide: true, optional: true, kind: "short", value: (t) => t.health, cell: state((t) => t.health) },
    { title: "Started", kind: "time", value: (t) => t.started, text: () => "", cell: time((t) => t.started) },
    { title: "Updated", wide: true, kind: "time", value: (t) => t.updated, text: () => "", cell: time((t) => t.updated) },
    host && { title: "Host", wide: true, kind: "short", value: (t) => cluster.host(t.agent), cell: text((t) => cluster.host(t.agent)) },
    { title: "CPUs", wide: true, kind: "number", value: (t) => t.resources.cpus ?? 0, text: () => "", cell: text((t) => amount(t.resources.cpus)) },
    { title: "Memory", wide: true, kind: "number", value: (t) => t.resources.mem ?? 0, text: () => "", cell: text((t) => megabytes(t.resources.mem)) },
  ];
  return columns.filter(Boolean);
}

/** Tables of the tasks that are active, unreachable and completed. */
export class TaskTables {
  constructor(name, cluster, empty, options) {
    const table = (title, empty) =>
      new Table({ name: `${name} ${title}`, title, columns: taskColumns(cluster, options), key: (t) => t.key, sort: "-Started", empty });
    this.active = table("Active tasks", empty);
    this.unreachable = table("Unreachable tasks", "");
    this.completed = table("Completed tasks", "No task has ended yet.");
    this.elements = [this.active, this.unreachable, this.completed].map((table) => table.element);
  }

  update(tasks) {
    const [active, unreachable, completed] = [[], [], []];
    for (const task of tasks) {
      (isTerminal(task.state) ? completed : task.state === "TASK_UNREACHABLE" ? unreachable : active).push(task);
    }
    this.active.update(active);
    this.unreachable.element.hidden = unreachable.length === 0;
    this.unreachable.update(unreachable);
    this.completed.update(completed);
  }
}

const RESOURCES = [["CPUs", "cpus", amount], ["Memory", "mem", megabytes], ["Disk", "disk", megabytes], ["GPUs", "gpus", amount]];

/** Bars of resources, of rows that have `resources`, `used` and `offered`. */
export function resourceBars() {
  const entries = RESOURCES.map(([title, name, format]) => [
    title,
    bar(({ resources, used, offered }) => ({ total: resources?.[name] ?? 0, used: used?.[name] ?? 0, offered: offered?.[name] ?? 0 }), format),
    ({ resources }) => name !== "gpus" || resources?.gpus > 0,
  ]);
  const bars = new Details(entries);
  bars.element.classList.add("bars");
  return bars;
}

const STATES = [["Staging", "staging"], ["Starting", "starting"], ["Running", "running"], ["Killing", "killing"],
  ["Unreachable", "unreachable"], ["Finished", "finished"], ["Killed", "killed"], ["Failed", "failed"], ["Lost", "lost"], ["Error", "error"]];
const ALWAYS = new Set(["running", "finished", "failed"]);

class Totals {
  constructor() {
    const has = (get) => (row) => Boolean(get(row));
    const [started, elected] = [({ cluster }) => cluster.master.started, ({ cluster }) => cluster.master.elected];
    const metric = (name) => ({ metrics }) => metrics[`master/${name}`] ?? 0;
    this.about = new Details([
      ["Cluster", text(({ cluster }) => cluster.name), has(({ cluster }) => cluster.name)],
      ["Master", text(({ cluster }) => cluster.master.pid), has(({ cluster }) => cluster.master.pid)],
      ["Version", text(({ cluster }) => cluster.version)],
      ["Started", time(started), has(started)],
      ["Elected", time(elected), (row) => elected(row) - started(row) > 1],
      ["Frameworks", text((row) => amount(metric("frameworks_active")(row)))],
      ["Offers", text((row) => amount(metric("outstanding_offers")(row)))],
    ]);
    this.agents = new Details([
      ["Active", text((row) => amount(metric("slaves_active")(row)))],
      ["Inactive", text((row) => amount(metric("slaves_inactive")(row)))],
      ["Unreachable", text((row) => amount(metric("slaves_unreachable")(row)))],
    ]);
    this.tasks = new Details(STATES.map(([title, name]) =>
      [title, text((row) => amount(metric(`tasks_${name}`)(row))), (row) => ALWAYS.has(name) || metric(`tasks_${name}`)(row) > 0]));
    this.bars = resourceBars();
    const card = (title, details, kind = "") => node("section", { class: `card ${kind}` }, node("h2", {}, title), details.element);
    this.element = node("div", { class: "cards" },
      card("Resources", this.bars, "broad"), card("Tasks", this.tasks), card("Agents", this.agents), card("Master", this.about, "broad"));
  }

  update({ cluster, feed }) {
    const metrics = feed.fact("metrics/snapshot") ?? {};
    for (const details of [this.about, this.agents, this.tasks]) details.update({ cluster, metrics });
    const sum = (of) => Object.fromEntries(RESOURCES.map(([, name]) => [name, of(name)]));
    const resources = sum((name) => metrics[`master/${name}_total`]);
    const used = sum((name) => metrics[`master/${name}_used`]);
    const offered = { cpus: 0, mem: 0, disk: 0, gpus: 0 };
    for (const agent of cluster.agents.values()) for (const name in offered) offered[name] += agent.offered?.[name] ?? 0;
    this.bars.update({ resources, used, offered });
  }
}

/** What to do on a cluster without frameworks. */
export const invitation = () => node("div", {},
  node("p", {}, "No task runs. Give a framework the address of this master, ", node("code", {}, location.host), ", or let it be started with a cluster of its own:"),
  node("pre", {}, "remesos run framework.py"));

export function tasksPage({ cluster }) {
  const totals = new Totals();
  const tables = new TaskTables("tasks", cluster, invitation());
  return {
    title: "Tasks",
    nodes: [node("h1", { class: "unseen" }, "Tasks"), totals.element, ...tables.elements],
    needs: ["state-summary"],
    update(app) {
      totals.update(app);
      tables.update(cluster.tasks.values());
    },
  };
}

/** How many tasks of each kind there are: `{ active, completed }` by what `of` says of a task. */
export function countTasks(cluster, of) {
  const counts = new Map();
  for (const task of cluster.tasks.values()) {
    const each = counts.get(of(task)) ?? { active: 0, completed: 0 };
    counts.set(of(task), each);
    each[isTerminal(task.state) ? "completed" : "active"] += 1;
  }
  return (id) => counts.get(id) ?? { active: 0, completed: 0 };
}

