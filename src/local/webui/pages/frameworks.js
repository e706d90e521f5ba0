// All frameworks, and one with its tasks.

import { Details, external, hashes, link, node, state, text, time } from "../dom.js";
import { amount, megabytes } from "../format.js";
import { Table } from "../table.js";
import { countTasks, TaskTables } from "./tasks.js";

const host = (address) => new URL(address).host;
const activity = (f) => (f.completed ? "completed" : f.active ? "active" : "inactive");

function columns(ended) {
  return [
    { title: "Framework", kind: "id tail", value: (f) => f.id, cell: link((f) => f.id, (f) => hashes.framework(f.id)) },
    { title: "Name", value: (f) => f.name, cell: text((f) => f.name) },
    { title: "Host", wide: true, kind: "short", value: (f) => f.host, cell: text((f) => f.host) },
    { title: "User", wide: true, kind: "short", value: (f) => f.user, cell: text((f) => f.user) },
    { title: "Principal", wide: true, optional: true, kind: "short", value: (f) => f.principal, cell: text((f) => f.principal) },
    { title: "Roles", wide: true, kind: "short", value: (f) => f.roles.join(", "), cell: text((f) => f.roles.join(", ")) },
    { title: "Own page", wide: true, optional: true, value: (f) => f.page, cell: external((f) => f.page, host) },
    { title: "Tasks", kind: "number", value: (f) => (ended ? f.tasks.completed : f.tasks.active), text: () => "",
      cell: text((f) => amount(ended ? f.tasks.completed : f.tasks.active)) },
    !ended && { title: "CPUs", wide: true, kind: "number", value: (f) => f.used?.cpus ?? 0, text: () => "", cell: text((f) => amount(f.used?.cpus)) },
    !ended && { title: "Memory", wide: true, kind: "number", value: (f) => f.used?.mem ?? 0, text: () => "", cell: text((f) => megabytes(f.used?.mem)) },
    { title: "Registered", wide: true, kind: "time", value: (f) => f.registered, text: () => "", cell: time((f) => f.registered) },
    ended && { title: "Unregistered", wide: true, kind: "time", value: (f) => f.unregistered, text: () => "", cell: time((f) => f.unregistered) },
  ].filter(Boolean);
}

export function frameworksPage({ cluster }) {
  const table = (title, empty, ended = false) =>
    new Table({ name: title, title, columns: columns(ended), key: (f) => f.id, sort: ended ? "-Unregistered" : "-Registered", empty });
  const active = table("Active frameworks", node("p", {}, "No framework is registered. Start one with the master ", node("code", {}, location.host), "."));
  const inactive = table("Inactive frameworks", "No framework is disconnected.");
  const completed = table("Completed frameworks", "No framework has ended yet.", true);
  return {
    title: "Frameworks",
    nodes: [node("h1", { class: "unseen" }, "Frameworks"), active.element, inactive.element, completed.element],
    needs: ["state-summary"],
    update() {
      const tasks = countTasks(cluster, (task) => task.framework);
      const all = [...cluster.frameworks.values()].map((framework) => ({ ...framework, tasks: tasks(framework.id) }));
      active.update(all.filter((f) => activity(f) === "active"));
      const disconnected = all.filter((f) => activity(f) === "inactive");
      inactive.element.hidden = disconnected.length === 0;
      inactive.update(disconnected);
      completed.update(all.filter((f) => f.completed));
    },
  };
}

export function frameworkPage({ cluster }, id) {
  const heading = node("h1");
  const missing = node("p", { class: "empty" });
  const details = new Details([
    ["Id", text((f) => f.id)],
    ["State", state(activity)],
    ["Own page", external((f) => f.page), (f) => f.page],
    ["User", text((f) => f.user)],
    ["Host", text((f) => f.host)],
    ["Principal", text((f) => f.principal), (f) => f.principal],
    ["Roles", text((f) => f.roles.join(", "))],
    ["Capabilities", text((f) => f.capabilities.join(", ")), (f) => f.capabilities.length],
    ["Failover timeout", text((f) => `${amount(f.failover)} s`), (f) => f.failover > 0],
    ["Registered", time((f) => f.registered)],
    ["Registered again", time((f) => f.reregistered), (f) => f.reregistered > f.registered],
    ["Unregistered", time((f) => f.unregistered), (f) => f.completed && f.unregistered > 0],
    ["In use", text((f) => `${amount(f.used?.cpus)} CPUs, ${megabytes(f.used?.mem)} memory`), (f) => !f.completed],
  ]);
  const tables = new TaskTables("framework", cluster, "No task of this framework runs.", { framework: false });
  return {
    title: "Framework",
    nodes: [heading, missing, details.element, ...tables.elements],
    needs: ["state-summary"],
    update() {
      const framework = cluster.frameworks.get(id);
      heading.textContent = framework?.name ?? "Framework";
      missing.textContent = `The master knows no framework ${id}.`;
      missing.hidden = framework !== undefined;
      details.element.hidden = framework === undefined;
      if (framework) details.update(framework);
      tables.update([...cluster.tasks.values()].filter((task) => task.framework === id));
    },
  };
}
