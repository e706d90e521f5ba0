"use strict";
// The web page of the embedded cluster: reads /state and the sandboxes every second, and shows what the address names.

const POLL_MS = 1000;
const TAIL_BYTES = 65536;
const view = document.getElementById("view");
const status = document.getElementById("status");

// Text from the cluster only ever becomes text: nodes are made here, never parsed from strings.
function node(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.map((child) => (child instanceof Node ? child : String(child ?? ""))));
  return made;
}

async function get(path) {
  const response = await fetch(path, { cache: "no-store" });
  if (!response.ok) throw new Error(`${path}: HTTP ${response.status}`);
  return response.json();
}

const when = (seconds) => (seconds ? new Date(seconds * 1000).toLocaleTimeString() : "");
const link = (hash, text) => node("a", { href: hash }, text);
const state = (name) => node("span", { class: `state ${name}` }, name);
const frameworkHash = (id) => `#/frameworks/${encodeURIComponent(id)}`;
const taskHash = (task) => `${frameworkHash(task.framework_id)}/tasks/${encodeURIComponent(task.id)}`;

function table(columns, rows, empty) {
  if (!rows.length) return node("p", { class: "empty" }, empty);
  const head = node("tr", {}, ...columns.map(([title, , kind]) => node("th", { class: kind ?? "" }, title)));
  const body = rows.map((row) => node("tr", {}, ...columns.map(([, cell, kind]) => node("td", { class: kind ?? "" }, cell(row)))));
  return node("table", {}, node("thead", {}, head), node("tbody", {}, ...body));
}

const allFrameworks = (cluster) => [...cluster.frameworks, ...cluster.completed_frameworks];
const allTasks = (framework) => [...framework.tasks, ...framework.completed_tasks];
const started = (task) => task.statuses[0]?.timestamp ?? 0;
const changed = (task) => task.statuses[task.statuses.length - 1];
const newestFirst = (tasks) => [...tasks].sort((a, b) => started(b) - started(a));

const taskColumns = [
  ["Task", (t) => link(taskHash(t), t.id), "id"],
  ["Name", (t) => t.name],
  ["State", (t) => state(t.state)],
  ["Started", (t) => when(started(t))],
  ["Last update", (t) => when(changed(t)?.timestamp)],
  ["CPUs", (t) => t.resources.cpus, "number"],
  ["Memory (MB)", (t) => t.resources.mem, "number"],
  ["Output", (t) => link(taskHash(t), "stdout, stderr")],
];

function tasksView(cluster) {
  const names = new Map(allFrameworks(cluster).map((f) => [f.id, f.name]));
  const columns = [["Framework", (t) => link(frameworkHash(t.framework_id), names.get(t.framework_id))], ...taskColumns];
  const active = cluster.frameworks.flatMap((f) => f.tasks);
  const over = [...cluster.frameworks.flatMap((f) => f.completed_tasks), ...cluster.completed_frameworks.flatMap(allTasks)];
  return [
    node("h2", {}, "Active tasks"), table(columns, newestFirst(active), "No active task."),
    node("h2", {}, "Completed tasks"), table(columns, newestFirst(over).slice(0, 200), "No completed task."),
  ];
}

function frameworksView(cluster) {
  const columns = [
    ["Framework", (f) => link(frameworkHash(f.id), f.id), "id"],
    ["Name", (f) => f.name],
    ["User", (f) => f.user],
    ["Host", (f) => f.hostname],
    ["Active tasks", (f) => f.tasks.length, "number"],
    ["Completed tasks", (f) => f.completed_tasks.length, "number"],
    ["CPUs", (f) => f.used_resources.cpus, "number"],
    ["Memory (MB)", (f) => f.used_resources.mem, "number"],
    ["Registered", (f) => when(f.registered_time)],
  ];
  const ended = [...columns, ["Unregistered", (f) => when(f.unregistered_time)]];
  return [
    node("h2", {}, "Active frameworks"), table(columns, cluster.frameworks.filter((f) => f.active), "No active framework."),
    node("h2", {}, "Inactive frameworks"), table(columns, cluster.frameworks.filter((f) => !f.active), "No inactive framework."),
    node("h2", {}, "Completed frameworks"), table(ended, cluster.completed_frameworks, "No completed framework."),
  ];
}

function details(pairs) {
  return node("dl", {}, ...pairs.flatMap(([name, value]) => [node("dt", {}, name), node("dd", {}, value)]));
}

function frameworkView(cluster, id) {
  const framework = allFrameworks(cluster).find((f) => f.id === id);
  if (!framework) return [node("p", { class: "empty" }, `No framework ${id}.`)];
  const over = framework.unregistered_time > 0;
  return [
    node("h1", {}, framework.name),
    details([["Id", framework.id], ["User", framework.user], ["Host", framework.hostname],
      ["Roles", framework.roles?.join(", ") ?? framework.role], ["Active", framework.active ? "yes" : "no"]]),
    node("h2", {}, "Active tasks"), table(taskColumns, newestFirst(over ? [] : framework.tasks), "No active task."),
    node("h2", {}, "Completed tasks"),
    table(taskColumns, newestFirst(over ? allTasks(framework) : framework.completed_tasks), "No completed task."),
  ];
}

async function sandbox(cluster, task) {
  const agent = cluster.slaves.find((slave) => slave.id === task.slave_id);
  const known = await get(`${agent.pid.split("@")[0]}/state`);
  const frameworks = allFrameworks(known).filter((f) => f.id === task.framework_id);
  const executors = frameworks.flatMap((f) => [...f.executors, ...f.completed_executors]);
  const tasks = (executor) => [...executor.tasks, ...executor.queued_tasks, ...executor.completed_tasks];
  return executors.find((executor) => tasks(executor).some((t) => t.id === task.id))?.directory;
}

async function tail(path) {
  const file = `files/read?path=${encodeURIComponent(path)}`;
  const size = (await get(`${file}&offset=-1`)).offset;
  const data = (await get(`${file}&offset=${Math.max(0, size - TAIL_BYTES)}&length=${TAIL_BYTES}`)).data;
  return size > TAIL_BYTES ? `… (the last ${TAIL_BYTES} of ${size} bytes)\n${data}` : data;
}

async function taskView(cluster, frameworkId, id) {
  const framework = allFrameworks(cluster).find((f) => f.id === frameworkId);
  const task = framework && allTasks(framework).find((t) => t.id === id);
  if (!task) return [node("p", { class: "empty" }, `No task ${id}.`)];
  const parts = [
    node("h1", {}, task.name),
    details([["Id", task.id], ["Framework", link(frameworkHash(frameworkId), framework.name)], ["State", state(task.state)], ["Agent", task.slave_id]]),
    node("h2", {}, "Updates"),
    table([["State", (s) => state(s.state)], ["Time", (s) => when(s.timestamp)], ["Message", (s) => s.message ?? ""]], task.statuses, "No update yet."),
  ];
  const directory = await sandbox(cluster, task);
  if (directory) {
    parts.push(node("h2", {}, "Sandbox"), node("p", { class: "empty" }, directory));
    for (const name of ["stdout", "stderr"]) {
      const path = `${directory}/${name}`;
      const download = node("a", { href: `files/download?path=${encodeURIComponent(path)}`, download: name }, "download");
      const text = await tail(path).catch(() => "");
      parts.push(node("h2", {}, `${name} `, download), node("pre", {}, text || "(nothing yet)"));
    }
  }
  return parts;
}

function agentsView(cluster) {
  const used = (key) => (s) => `${s.used_resources[key]} of ${s.resources[key]}`;
  const columns = [
    ["Agent", (s) => s.id, "id"], ["Host", (s) => s.hostname], ["CPUs used", used("cpus"), "number"],
    ["Memory used (MB)", used("mem"), "number"], ["Disk used (MB)", used("disk"), "number"], ["Registered", (s) => when(s.registered_time)],
  ];
  return [node("h2", {}, "Agents"), table(columns, cluster.slaves, "No agent.")];
}

async function build() {
  const cluster = await get("state");
  const [tab = "", id, kind, taskId] = location.hash.replace(/^#\//, "").split("/").map(decodeURIComponent);
  for (const anchor of document.querySelectorAll("nav a")) anchor.classList.toggle("here", anchor.dataset.tab === tab);
  status.textContent = `Mesos ${cluster.version} API, ${cluster.activated_slaves} agent(s), master ${cluster.pid}`;
  status.className = "";
  if (tab === "frameworks" && kind === "tasks") return taskView(cluster, id, taskId);
  if (tab === "frameworks" && id) return frameworkView(cluster, id);
  if (tab === "frameworks") return frameworksView(cluster);
  if (tab === "agents") return agentsView(cluster);
  return tasksView(cluster);
}

let shown = "";
async function show() {
  try {
    const parts = await build();
    const now = parts.map((part) => part.outerHTML).join("");
    // Unchanged pages stay as they are, so that a selection or a scroll position survives.
    if (now !== shown) {
      shown = now;
      const scrolled = [...view.querySelectorAll("pre")].map((pre) => pre.scrollTop);
      view.replaceChildren(...parts);
      view.querySelectorAll("pre").forEach((pre, i) => { pre.scrollTop = scrolled[i] ?? 0; });
    }
  } catch (error) {
    status.textContent = `The cluster does not answer: ${error.message}`;
    status.className = "bad";
  }
}

async function poll() {
  await show();
  setTimeout(poll, POLL_MS);
}

addEventListener("hashchange", show);
poll();
