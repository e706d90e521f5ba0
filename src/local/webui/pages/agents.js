// All agents, and one with what runs there.

import { bar, Details, hashes, link, node, state, text, time, write } from "../dom.js";
import { amount, megabytes, resources } from "../format.js";
import { Table } from "../table.js";
import { countTasks, resourceBars, TaskTables } from "./tasks.js";

const activity = (a) => (a.drain ? a.drain.toLowerCase() : a.deactivated ? "deactivated" : a.active ? "active" : "inactive");
const named = (of) => Object.entries(of).map(([name, value]) => `${name}:${value}`).join(", ");
const domain = (a) => [a.domain?.fault_domain?.region?.name, a.domain?.fault_domain?.zone?.name].filter(Boolean).join(" / ");
const of = (name) => (a) => ({ total: a.resources[name] ?? 0, used: a.used?.[name] ?? 0, offered: a.offered?.[name] ?? 0 });
const share = (name) => (a) => (a.resources[name] > 0 ? (a.used?.[name] ?? 0) / a.resources[name] : 0);

const columns = () => [
  { title: "Agent", kind: "id tail", value: (a) => a.id, cell: link((a) => a.id, (a) => hashes.agent(a.id)) },
  { title: "Host", wide: true, value: (a) => a.host, cell: text((a) => a.host) },
  { title: "State", kind: "state-column", value: activity, cell: state(activity) },
  { title: "CPUs", kind: "bars-column", value: share("cpus"), text: () => "", cell: bar(of("cpus"), amount) },
  { title: "Memory", wide: true, kind: "bars-column", value: share("mem"), text: () => "", cell: bar(of("mem"), megabytes) },
  { title: "Disk", wide: true, kind: "bars-column", value: share("disk"), text: () => "", cell: bar(of("disk"), megabytes) },
  { title: "Tasks", wide: true, kind: "number", value: (a) => a.tasks.active, text: () => "", cell: text((a) => amount(a.tasks.active)) },
  { title: "Attributes", wide: true, optional: true, value: (a) => named(a.attributes), cell: text((a) => named(a.attributes)) },
  { title: "Registered", wide: true, kind: "time", value: (a) => a.registered, text: () => "", cell: time((a) => a.registered) },
];

export function agentsPage({ cluster }) {
  const empty = node("p", {}, "No agent is registered. In Python, ", node("code", {}, "cluster.add_agent()"), " starts one.");
  const table = new Table({ name: "agents", title: "Agents", columns: columns(), key: (a) => a.id, sort: "Agent", empty });
  return {
    title: "Agents",
    nodes: [node("h1", { class: "unseen" }, "Agents"), table.element],
    needs: ["state-summary"],
    update() {
      const tasks = countTasks(cluster, (task) => task.agent);
      table.update([...cluster.agents.values()].map((agent) => ({ ...agent, tasks: tasks(agent.id) })));
    },
  };
}

const tasksOf = (executor) => executor.tasks.length + executor.queued_tasks.length;

const executorColumns = (cluster, agent) => [
  { title: "Executor", kind: "id", value: (e) => e.id, cell: link((e) => e.id, (e) => hashes.browse(agent, e.directory)) },
  { title: "Framework", wide: true, value: (e) => cluster.frameworkName(e.framework),
    cell: link((e) => cluster.frameworkName(e.framework), (e) => hashes.framework(e.framework)) },
  { title: "Name", wide: true, value: (e) => e.name, cell: text((e) => e.name) },
  { title: "Tasks", kind: "number", value: tasksOf, text: () => "", cell: text((e) => amount(tasksOf(e))) },
  { title: "Resources", wide: true, value: (e) => resources(e.resources), cell: text((e) => resources(e.resources)) },
  { title: "Sandbox", value: (e) => e.directory, cell: link(() => "Browse", (e) => hashes.browse(agent, e.directory)) },
];

const executors = (state, kind) => [...state.frameworks, ...state.completed_frameworks].flatMap((framework) =>
  framework[kind].map((executor) => ({ ...executor, framework: framework.id, key: `${framework.id} ${executor.container}` })));

export function agentPage({ cluster, feed }, id) {
  const heading = node("h1");
  const missing = node("p", { class: "empty" }, `The master knows no agent ${id}.`);
  const details = new Details([
    ["Id", text((a) => a.id)],
    ["State", state(activity)],
    ["Attributes", text((a) => named(a.attributes)), (a) => named(a.attributes)],
    ["Domain", text(domain), domain],
    ["Version", text((a) => a.version)],
    ["Resources", text((a) => resources(a.resources))],
    ["Registered", time((a) => a.registered)],
    ["Registered again", time((a) => a.reregistered), (a) => a.reregistered > a.registered],
    ["Working directory", link(() => "Browse", (a) => a.directory && hashes.browse(id, a.directory)), (a) => a.directory],
  ]);
  const bars = resourceBars();
  const table = (title, empty) =>
    new Table({ name: title, title, columns: executorColumns(cluster, id), key: (e) => e.key, sort: "Executor", empty });
  const [running, ended] = [table("Executors", "No executor runs here."), table("Completed executors", "No executor has ended yet.")];
  const tables = new TaskTables("agent", cluster, "No task runs here.", { host: false });
  const path = () => `${cluster.agents.get(id)?.path}/state`;
  return {
    title: "Agent",
    nodes: [heading, missing, details.element, bars.element, ...tables.elements, running.element, ended.element],
    get needs() { return ["state-summary", ...(cluster.agents.get(id)?.path ? [path()] : [])]; },
    update() {
      const [agent, known] = [cluster.agents.get(id), feed.fact(path())];
      write(heading, agent?.host ?? "Agent");
      missing.hidden = agent !== undefined || feed.connection === "connecting";
      details.element.hidden = bars.element.hidden = agent === undefined;
      if (agent) {
        details.update({ ...agent, directory: known?.flags?.work_dir });
        bars.update(agent);
      }
      tables.update([...cluster.tasks.values()].filter((task) => task.agent === id));
      running.element.hidden = ended.element.hidden = known === undefined;
      if (known) {
        running.update(executors(known, "executors"));
        ended.update(executors(known, "completed_executors"));
      }
    },
  };
}

