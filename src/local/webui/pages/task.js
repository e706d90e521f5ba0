// One task: its updates, and what it writes.

import { Details, hashes, link, node, state, text, time, write } from "../dom.js";
import { read } from "../feed.js";
import { resources } from "../format.js";
import { isTerminal, taskKey } from "../messages.js";
import { Pager } from "../pager.js";
import { Table } from "../table.js";

const FILES = ["stdout", "stderr"];

/** The sandbox of a task, as its agent has it. */
export async function sandbox(agent, task) {
  if (!agent?.path) return undefined;
  const known = await read(`${agent.path}/state`);
  const frameworks = [...known.frameworks, ...known.completed_frameworks].filter((each) => each.id === task.framework);
  const executors = frameworks.flatMap((each) => [...each.executors, ...each.completed_executors]);
  const tasks = (of) => [...of.tasks, ...of.queued_tasks, ...of.completed_tasks];
  return executors.find((each) => tasks(each).some((other) => other.id === task.id))?.directory;
}

const updates = () => new Table({
  name: "updates", title: "Updates", key: (s) => s.key, sort: "Time", empty: "No update has come yet.",
  columns: [
    { title: "State", kind: "state-column", value: (s) => s.state, cell: state((s) => s.state) },
    { title: "Time", kind: "time", value: (s) => s.time, text: () => "", cell: time((s) => s.time) },
    { title: "Health", wide: true, optional: true, kind: "short", value: (s) => s.health, cell: state((s) => s.health) },
    { title: "Message", kind: "wrap", value: (s) => s.message, cell: text((s) => s.message ?? "") },
  ],
});

class Output {
  constructor() {
    this.element = node("div");
    this.pagers = [];
  }

  /** Looks for the sandbox, and shows its files from then on. */
  async begin(agent, task) {
    if (this.directory || this.looking) return;
    this.looking = true;
    try {
      this.directory = await sandbox(agent, task);
      if (this.directory) this.#show(task);
    } catch {
      // The agent may be gone. There will be another update.
    } finally {
      this.looking = false;
    }
  }

  #show(task) {
    this.pagers = FILES.map((name) => new Pager(name, `${this.directory}/${name}`));
    const browse = node("a", { href: hashes.browse(task.agent, this.directory) }, "Browse the sandbox");
    this.element.replaceChildren(node("p", {}, browse), ...this.pagers.map((pager) => pager.element));
    for (const pager of this.pagers) pager.run();
  }

  poke(task) {
    if (task.updated !== this.updated) for (const pager of this.pagers) pager.poke();
    this.updated = task.updated;
  }
}

export function taskPage({ cluster }, framework, id) {
  const heading = node("h1");
  const missing = node("p", { class: "empty" });
  const name = (t) => cluster.frameworkName(t.framework);
  const details = new Details([
    ["Id", text((t) => t.id)],
    ["State", state((t) => t.state)],
    ["Health", state((t) => t.health), (t) => t.health],
    ["Framework", link(name, (t) => hashes.framework(t.framework))],
    ["Agent", link((t) => t.agent, (t) => (cluster.agents.has(t.agent) ? hashes.agent(t.agent) : undefined)), (t) => t.agent],
    ["Host", text((t) => cluster.host(t.agent)), (t) => cluster.host(t.agent)],
    ["Executor", text((t) => t.executor), (t) => t.executor],
    ["Role", text((t) => t.role), (t) => t.role],
    ["User", text((t) => t.user), (t) => t.user],
    ["Resources", text((t) => resources(t.resources))],
    ["Labels", text((t) => t.labels.map((l) => `${l.key}=${l.value ?? ""}`).join(", ")), (t) => t.labels.length],
    ["Started", time((t) => t.started), (t) => t.started],
    ["Ended", time((t) => t.updated), (t) => isTerminal(t.state)],
  ]);
  const table = updates();
  const output = new Output();
  return {
    title: "Task",
    nodes: [heading, missing, details.element, table.element, output.element],
    needs: [],
    update() {
      const task = cluster.tasks.get(taskKey(framework, id));
      write(heading, task?.name || "Task");
      write(missing, `The master knows no task ${id}.`);
      missing.hidden = task !== undefined;
      for (const element of [details.element, table.element, output.element]) element.hidden = task === undefined;
      if (!task) return;
      details.update(task);
      const health = (s) => (s.healthy === undefined ? "" : s.healthy ? "healthy" : "unhealthy");
      table.update(task.statuses.map((status, index) => ({ ...status, key: String(index), health: health(status) })));
      output.begin(cluster.agents.get(task.agent), task);
      output.poke(task);
    },
  };
}
